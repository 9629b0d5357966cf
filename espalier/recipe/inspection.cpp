#include "espalier/recipe/inspection.h"

#include <map>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/analysis/cost.h"
#include "espalier/analysis/summary.h"
#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/onnx/codec.h"
#include "espalier/recipe/channel_groups.h"
#include "espalier/report/table.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/model_file.h"

namespace espalier::recipe {
namespace {

using report::Align;
using report::Json;
using report::to_array;

Json ports_json(const std::vector<analysis::PortSummary>& ports) {
  return to_array(ports, [](const analysis::PortSummary& port) {
    return Json::object({{"name", port.name}, {"type", port.type}});
  });
}

Json ops_json(const std::vector<analysis::OpSummary>& ops) {
  return to_array(ops, [](const analysis::OpSummary& op) {
    return Json::object(
        {{"op", op.op}, {"count", op.count}, {"macs", op.macs}, {"parameters", op.parameters}});
  });
}

Json nodes_json(const analysis::CostTable& costs) {
  return to_array(costs.nodes, [](const analysis::NodeCost& cost) {
    return Json::object({{"name", cost.node},
                         {"op", cost.op},
                         {"macs", cost.macs ? Json(*cost.macs) : Json()},
                         {"parameters", cost.parameters},
                         {"output_bytes", cost.output_bytes}});
  });
}

void add_training(Json& json, const train::TrainState& state) {
  json["training"] = Json::object({{"epoch", state.epoch},
                                   {"step", state.step},
                                   {"optimizer", state.optimizer},
                                   {"schedule", state.schedule},
                                   {"best_metric", state.best_metric},
                                   {"best_value", state.best_value}});
}

void append_ports(std::string& text, std::string_view title, const Json& ports) {
  for (const Json& port : ports.items()) {
    text += fmt::format("{:<12}{}  {}\n", title, port.at("name").as_string(),
                        port.at("type").as_string());
  }
}

std::string macs_text(const Json& macs) {
  return macs.is_null() ? "?" : report::format_count(macs.as_number());
}

std::string nodes_text(const Json& nodes) {
  report::TextTable table({{.title = "node", .align = Align::Left},
                           {.title = "op", .align = Align::Left},
                           {.title = "MACs"},
                           {.title = "parameters"},
                           {.title = "output"}});
  for (const Json& node : nodes.items()) {
    table.add_row({node.at("name").as_string(), node.at("op").as_string(),
                   macs_text(node.at("macs")),
                   report::format_count(node.at("parameters").as_number()),
                   report::format_bytes(node.at("output_bytes").as_number())});
  }
  return table.render();
}

}  // namespace

report::Json inspect_model(const std::filesystem::path& model, const InspectionOptions& options) {
  Json json = Json::object();
  json["file"] = model.string();
  const std::string bytes = base::read_file(model);
  json["bytes"] = static_cast<std::int64_t>(bytes.size());
  ir::Graph graph;
  std::map<std::string, std::int64_t> opsets;  // of the file, which reading may have converted
  if (train::model_kind(bytes) == train::ModelKind::Checkpoint) {
    train::Checkpoint checkpoint = train::decode_checkpoint(bytes, model.string());
    if (checkpoint.state) add_training(json, *checkpoint.state);
    json["kind"] = "checkpoint";
    graph = std::move(checkpoint.graph);
    for (const auto& [domain, version] : graph.opsets) opsets[domain] = version;
  } else {
    json["kind"] = "onnx";
    graph = train::load_model(model);
    opsets = onnx::file_facts(bytes).opsets;
  }
  const analysis::Summary summary = analysis::summarize(graph);
  json["name"] = summary.name;
  json["producer"] = summary.producer;
  json["opsets"] = Json::object();
  for (const auto& [domain, version] : opsets) {
    json["opsets"][domain.empty() ? "ai.onnx" : domain] = version;
  }
  json["inputs"] = ports_json(summary.inputs);
  json["outputs"] = ports_json(summary.outputs);
  json["macs"] = summary.macs;
  json["uncounted_nodes"] = summary.uncounted_nodes;
  json["parameters"] = summary.parameters;
  json["initializer_bytes"] = summary.initializer_bytes;
  json["peak_activation_bytes"] = summary.memory.peak_bytes;
  json["peak_node"] = summary.memory.peak_node;
  json["opaque_nodes"] = summary.opaque_nodes;
  json["ops"] = ops_json(summary.ops);
  json["nodes"] = nodes_json(analysis::cost_table(graph));
  if (options.groups) json["groups"] = channel_groups_json(graph);
  return json;
}

std::string inspection_text(const report::Json& json, bool nodes) {
  std::string text =
      fmt::format("{:<12}{} ({}, {})\n", "model", json.at("name").as_string(),
                  json.at("kind").as_string(), report::format_bytes(json.at("bytes").as_number()));
  if (!json.at("producer").as_string().empty()) {
    text += fmt::format("{:<12}{}\n", "producer", json.at("producer").as_string());
  }
  for (const auto& [domain, version] : json.at("opsets").members()) {
    text += fmt::format("{:<12}{} {}\n", "opset", domain, version.as_integer());
  }
  append_ports(text, "input", json.at("inputs"));
  append_ports(text, "output", json.at("outputs"));
  const std::string& peak = json.at("peak_node").as_string();
  const bool partly = json.at("uncounted_nodes").as_integer() > 0;
  text += fmt::format(
      "{:<12}{}{}\n{:<12}{}\n{:<12}{}\n", "MACs", partly ? "at least " : "",
      report::format_count(json.at("macs").as_number()), "parameters",
      report::format_count(json.at("parameters").as_number()), "activations",
      peak.empty()
          ? "?"
          : fmt::format("{} at '{}'",
                        report::format_bytes(json.at("peak_activation_bytes").as_number()), peak));
  if (const std::int64_t uncounted = json.at("uncounted_nodes").as_integer(); uncounted > 0) {
    text += fmt::format("{:<12}{} nodes need a size that the model leaves open\n", "uncounted",
                        uncounted);
  }
  for (const Json& node : json.at("opaque_nodes").items()) {
    text += fmt::format("{:<12}{}\n", "unknown", node.as_string());
  }
  report::TextTable table({{.title = "operator", .align = Align::Left},
                           {.title = "count"},
                           {.title = "MACs"},
                           {.title = "parameters"}});
  for (const Json& op : json.at("ops").items()) {
    table.add_row({op.at("op").as_string(), fmt::to_string(op.at("count").as_integer()),
                   macs_text(op.at("macs")),
                   report::format_count(op.at("parameters").as_number())});
  }
  text += '\n' + table.render();
  if (const Json* groups = json.find("groups")) text += '\n' + channel_groups_text(*groups);
  if (nodes) text += '\n' + nodes_text(json.at("nodes"));
  return text;
}

}  // namespace espalier::recipe
