#include "espalier/recipe/channel_groups.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/passes/pipelines.h"
#include "espalier/prune/channel_map.h"
#include "espalier/report/table.h"

namespace espalier::recipe {
namespace {

using report::Align;
using report::Json;

constexpr std::size_t kListedLayers = 4;

/// Filters of the layer whose channels may go.
std::int64_t removable_filters(const prune::ChannelMap& map, const prune::LayerAxes& layer) {
  return std::ranges::count_if(map.along(layer.filters),
                               [&](prune::ChannelId channel) { return !map.is_fixed(channel); });
}

Json layer_json(const prune::ChannelMap& map, const prune::LayerAxes& layer) {
  return Json::object({{"node", layer.node->name()},
                       {"op", layer.node->op()},
                       {"filters", static_cast<std::int64_t>(map.along(layer.filters).size())},
                       {"removable_filters", removable_filters(map, layer)}});
}

Json veto_json(const prune::Veto& veto) {
  return Json::object({{"where", veto.where}, {"reason", veto.reason}});
}

Json group_json(const prune::ChannelMap& map, const prune::ChannelGroup& group) {
  const auto channels = static_cast<std::int64_t>(group.channels.size());
  const std::int64_t free = channels - static_cast<std::int64_t>(group.fixed.size());
  const auto layer = [&](std::size_t index) { return layer_json(map, map.layers()[index]); };
  return Json::object({{"name", group.name},
                       {"channels", channels},
                       // The last channel stays.
                       {"removable", std::min(free, channels - 1)},
                       {"width", std::ranges::max(group.widths)},
                       {"can_be_cut", group.can_be_cut()},
                       {"layers", report::to_array(group.layers, layer)},
                       {"vetoes", report::to_array(group.vetoes, veto_json)}});
}

/// "conv1, conv2 and 3 more"
std::string layers_text(const Json& layers) {
  std::vector<std::string> names;
  for (const Json& layer : layers.items()) names.push_back(layer.at("node").as_string());
  const std::size_t more = names.size() > kListedLayers ? names.size() - kListedLayers : 0;
  names.resize(names.size() - more);
  return fmt::format("{}{}", fmt::join(names, ", "),
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

/// Groups of which something must stay, with who says so.
std::string vetoes_text(const Json& groups) {
  std::string text;
  for (const Json& group : groups.items()) {
    const std::int64_t channels = group.at("channels").as_integer();
    const std::int64_t filters = group.at("width").as_integer();
    if (channels == 1 && filters == 1) {
      text += fmt::format("'{}' has a single channel\n", group.at("name").as_string());
    } else if (channels == 1) {
      text += fmt::format("'{}' has {} filters that hang together: they would all go\n",
                          group.at("name").as_string(), filters);
    }
    const auto& vetoes = group.at("vetoes").items();
    if (vetoes.empty()) continue;
    text += fmt::format(
        "'{}' {}:\n", group.at("name").as_string(),
        group.at("can_be_cut").as_bool() ? "keeps some of its channels" : "cannot be cut");
    for (const Json& veto : vetoes) {
      text +=
          fmt::format("  {}: {}\n", veto.at("where").as_string(), veto.at("reason").as_string());
    }
  }
  return text;
}

}  // namespace

report::Json channel_groups_json(const ir::Graph& graph) {
  ir::Graph prepared = graph.clone();
  passes::run(prepared, passes::prepare_for_pruning());
  const prune::ChannelMap map(prepared);
  return report::to_array(map.groups(),
                          [&](const prune::ChannelGroup& group) { return group_json(map, group); });
}

std::string channel_groups_text(const report::Json& groups) {
  report::TextTable table({{.title = "channel group", .align = Align::Left},
                           {.title = "channels"},
                           {.title = "may go"},
                           {.title = "width"},
                           {.title = "layers", .align = Align::Left}});
  std::size_t cuttable = 0;
  for (const Json& group : groups.items()) {
    const bool can_be_cut = group.at("can_be_cut").as_bool();
    cuttable += can_be_cut ? 1 : 0;
    table.add_row({group.at("name").as_string(), fmt::to_string(group.at("channels").as_integer()),
                   fmt::to_string(can_be_cut ? group.at("removable").as_integer() : 0),
                   fmt::to_string(group.at("width").as_integer()),
                   layers_text(group.at("layers"))});
  }
  std::string text =
      fmt::format("{} of {} channel groups can be cut\n", cuttable, groups.items().size());
  if (groups.items().empty()) return text + "no layer with weights was found\n";
  text += table.render();
  const std::string vetoes = vetoes_text(groups);
  return vetoes.empty() ? text : text + '\n' + vetoes;
}

}  // namespace espalier::recipe
