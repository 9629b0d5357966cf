#include "espalier/recipe/sensitivity_ratios.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/base/log.h"
#include "espalier/passes/pipelines.h"
#include "espalier/prune/criterion.h"
#include "espalier/recipe/counted_macs.h"
#include "espalier/recipe/pruning_images.h"
#include "espalier/report/table.h"
#include "espalier/train/model_file.h"

namespace espalier::recipe {
namespace {

std::vector<std::string> groups_of(const SensitivityStore& store) {
  std::vector<std::string> groups;
  for (const SensitivityPoint& point : store.points) {
    if (std::ranges::find(groups, point.group) == groups.end()) groups.push_back(point.group);
  }
  return groups;
}

void check_points(const SensitivityStore& store) {
  base::check(!store.points.empty(), "the file of sensitivities of '{}' holds no points yet",
              store.header.model);
}

/// How many channels go follows from the curves alone; an order is needed to count what is left.
prune::ScoreOptions scores_for(const SensitivityHeader& header) {
  const bool from_images = needs_gradients(prune::find_criterion(header.criterion).evidence);
  return {.criterion = from_images ? "l1" : header.criterion, .seed = header.seed};
}

}  // namespace

SensitivityRatios ratios_for_loss(const SensitivityStore& store, double loss) {
  base::check(std::isfinite(loss) && loss >= 0,
              "tolerated loss: got {}, expected a number of at least 0", loss);
  check_points(store);
  const auto curves = to_curves(store);
  SensitivityRatios result;
  for (const std::string& group : groups_of(store)) {
    result.groups.push_back({.group = group, .ratio = curves.at(group).removed_at(loss)});
  }
  return result;
}

SensitivityRatios ratios_for_cost(const SensitivityStore& store, const CostRequest& request) {
  check_points(store);
  ir::Graph graph = train::load_model(request.model);
  passes::run(graph, passes::prepare_for_pruning(), {.verify = false});
  SensitivityHeader expected = store.header;
  expected.model = request.model.stem().string();
  expected.model_id = analysis::model_id(graph);
  check_same_measurement(store.header, expected, "the file of sensitivities");
  const prune::ChannelMap map(graph);
  const auto scores = prune::score_channels(map, scores_for(store.header));
  prune::BudgetOptions options;
  options.kind = request.kind;
  options.remaining = request.remaining;
  options.strategy = prune::Strategy::Sensitivity;
  options.limits.align = request.align;
  options.curves = to_curves(store);
  const std::vector<Tensor> sample =
      sample_of_size(graph, request.image_size.value_or(kOpenImageSize));
  const CountedMacs counted = count_macs(graph, sample);
  check_counted(counted, request.kind);
  options.macs = counted.macs;
  if (has_open_sizes(graph)) {
    base::log_info("the model leaves its input's size open: costs are those of [{}]",
                   fmt::join(sample.front().sizes(), ", "));
  } else if (request.image_size) {
    base::log_warning("image_size is not used: the model itself says the size");
  }
  const prune::BudgetResult budget = prune::meet_budget(graph, map, scores, options);
  SensitivityRatios result{
      .remaining = budget.remaining, .reached = budget.reached, .reason = budget.reason};
  for (const std::string& name : groups_of(store)) {
    const auto place = std::ranges::find(budget.groups, name, &prune::GroupOutcome::group);
    result.groups.push_back(
        {.group = name,
         .ratio = static_cast<double>(place->removed) /
                  static_cast<double>(std::max<std::int64_t>(place->channels, 1))});
  }
  return result;
}

report::Json to_json(const SensitivityRatios& ratios) {
  report::Json json = report::Json::object({{"reached", ratios.reached}});
  if (ratios.remaining >= 0) json["remaining"] = ratios.remaining;
  if (!ratios.reached) json["reason"] = ratios.reason;
  json["ratios"] = report::Json::object();
  for (const GroupRatio& group : ratios.groups) json["ratios"][group.group] = group.ratio;
  return json;
}

std::string to_text(const SensitivityRatios& ratios) {
  report::TextTable table({{.title = "group", .align = report::Align::Left}, {.title = "ratio"}});
  for (const GroupRatio& group : ratios.groups) {
    table.add_row({group.group, fmt::format("{:.3f}", group.ratio)});
  }
  std::string text = table.render();
  if (ratios.remaining >= 0) {
    text += fmt::format("remaining: {}\n", report::format_percent(ratios.remaining));
  }
  return text;
}

}  // namespace espalier::recipe
