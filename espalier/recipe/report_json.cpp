#include <algorithm>
#include <cmath>

#include "espalier/deploy/cpu.h"
#include "espalier/ops/cost.h"
#include "espalier/recipe/report.h"

namespace espalier::recipe {
namespace {

using report::Json;

Json metrics_json(const std::map<std::string, double>& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

Json latency_json(const deploy::LatencySummary& latency) {
  Json json = Json::object();
  json["median"] = latency.median_ms;
  json["p10"] = latency.p10_ms;
  json["p90"] = latency.p90_ms;
  return json;
}

Json optional_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

/// `float` or `compressed`: size, cost, metrics of the first engine that has some, latencies.
Json side_json(const RunFacts& facts, bool compressed) {
  const deploy::VerifyReport& verification = facts.quantization->verification;
  Json json = Json::object();
  Json latencies = Json::object();
  json["metrics"] = Json::object();
  for (const deploy::EngineReport& engine : verification.engines) {
    const auto& metrics = compressed ? engine.metrics : engine.float_metrics;
    if (!metrics.empty() && json["metrics"].members().empty()) {
      json["metrics"] = metrics_json(metrics);
    }
    const auto& latency = compressed ? engine.latency : engine.float_latency;
    if (latency) latencies[engine.name] = latency_json(*latency);
  }
  json["bytes"] = compressed ? verification.quantized_bytes : verification.float_bytes;
  json["parameters"] = ops::parameters(*facts.graph);
  json["macs"] = ops::total_macs(*facts.graph).macs;
  json["latency_ms"] = latencies;
  return json;
}

Json mac_nodes_json(const std::vector<deploy::MacNode>& nodes) {
  Json list = Json::array();
  for (const deploy::MacNode& node : nodes) {
    Json json = Json::object();
    json["name"] = node.name;
    json["op"] = node.op;
    json["macs"] = node.macs;
    json["layer"] = node.layer;
    list.push_back(json);
  }
  return list;
}

Json slower_json(const std::vector<deploy::LayerCost>& layers) {
  Json list = Json::array();
  for (const deploy::LayerCost& layer : layers) {
    Json json = Json::object();
    json["name"] = layer.name;
    json["type"] = layer.type;
    json["float_ms"] = layer.float_ms;
    json["quantized_ms"] = layer.quantized_ms;
    list.push_back(json);
  }
  return list;
}

Json engine_json(const deploy::EngineReport& engine) {
  Json json = Json::object();
  json["name"] = engine.name;
  json["version"] = engine.version;
  json["integer_mac_share"] = engine.integer_mac_share;
  json["float_ops"] = mac_nodes_json(engine.float_ops);
  json["images"] = engine.images;
  json["agreement"] = optional_json(engine.agreement);
  json["simulation_agreement"] = optional_json(engine.simulation_agreement);
  json["metrics"] = metrics_json(engine.metrics);
  json["float_metrics"] = metrics_json(engine.float_metrics);
  json["output_sqnr_db"] = optional_json(engine.output_sqnr_db);
  if (engine.speedup) {
    Json speedup = Json::object();
    speedup["ratio"] = engine.speedup->ratio;
    speedup["low"] = engine.speedup->low;
    speedup["high"] = engine.speedup->high;
    json["speedup"] = speedup;
  }
  json["slower_layers"] = slower_json(engine.slower_layers);
  json["passed"] = engine.passed();
  json["failures"] = engine.failures;
  json["notes"] = engine.notes;
  return json;
}

Json layer_json(const LayerQuality& layer, const quant::QuantPlan& plan) {
  Json json = Json::object();
  json["name"] = layer.name;
  json["op"] = layer.op;
  json["macs"] = layer.macs;
  json["sqnr_db"] = layer.output_sqnr_db;
  const auto activation = plan.activations.find(layer.input);
  const auto weight = plan.weights.find(layer.weight);
  const bool integer = activation != plan.activations.end() && weight != plan.weights.end();
  json["bits"] = integer ? Json(weight->second.params.grid.bits) : Json(32);
  if (activation != plan.activations.end()) {
    const quant::ActivationPlan& input = activation->second;
    json["input"] = layer.input;
    json["method"] = input.method;
    json["scale"] = static_cast<double>(input.params.scale.front());
    json["zero_point"] = static_cast<std::int64_t>(input.params.zero_point.front());
    json["low"] = input.low;
    json["high"] = input.high;
    json["observed_low"] = input.observed_low;
    json["observed_high"] = input.observed_high;
    json["clipped"] = input.clipped;
    json["input_sqnr_db"] = input.sqnr_db;
  }
  if (weight != plan.weights.end()) json["weight_sqnr_db"] = weight->second.sqnr_db;
  return json;
}

Json operators_json(const std::vector<deploy::OperatorDifference>& operators) {
  Json list = Json::array();
  for (const deploy::OperatorDifference& check : operators) {
    Json json = Json::object();
    json["engine"] = check.engine;
    json["name"] = check.name;
    json["op"] = check.op;
    json["elements"] = check.elements;
    json["different"] = check.different;
    json["worst_step"] = check.worst_step;
    json["passed"] = check.passed();
    json["failure"] = check.failure;
    list.push_back(json);
  }
  return list;
}

/// Smallest agreement over the engines.
Json agreement_json(const deploy::VerifyReport& verification) {
  std::optional<double> smallest;
  for (const deploy::EngineReport& engine : verification.engines) {
    if (engine.agreement) smallest = std::min(smallest.value_or(1), *engine.agreement);
  }
  return optional_json(smallest);
}

void add_quantization(Json& json, const RunFacts& facts) {
  const QuantizationResult& result = *facts.quantization;
  json["float"] = side_json(facts, false);
  json["compressed"] = side_json(facts, true);
  json["agreement"] = agreement_json(result.verification);
  json["target"] = result.plan.target;
  json["calibration"] = result.plan.calibration;
  json["judging_images"] = result.judging_images;
  json["passed"] = result.verification.passed();
  json["failures"] = result.verification.reasons();
  json["notes"] = result.notes;
  json["engines"] = Json::array();
  for (const deploy::EngineReport& engine : result.verification.engines) {
    json["engines"].push_back(engine_json(engine));
  }
  json["layers"] = Json::array();
  for (const LayerQuality& layer : result.layers) {
    json["layers"].push_back(layer_json(layer, result.plan));
  }
  json["float_nodes"] = Json::array();
  for (const quant::FloatNode& node : result.plan.float_nodes) {
    Json entry = Json::object();
    entry["name"] = node.node;
    entry["op"] = node.op;
    entry["reason"] = node.reason;
    json["float_nodes"].push_back(entry);
  }
  json["operator_checks"] = operators_json(result.operators);
  json["passes"] = Json::array();
  for (const passes::PassRecord& record : result.passes) {
    Json entry = Json::object();
    entry["name"] = record.name;
    entry["changes"] = static_cast<std::int64_t>(record.changes);
    json["passes"].push_back(entry);
  }
}

void add_training(Json& json, const RunFacts& facts) {
  Json training = Json::object();
  training["seconds"] = facts.training_seconds;
  training["optimizer"] = facts.training->optimizer;
  training["schedule"] = facts.training->schedule;
  training["best_metric"] = facts.training->best_metric;
  training["best_value"] = facts.training->best_value;
  training["best_epoch"] = facts.training->best_epoch;
  training["epochs"] = Json::array();
  for (const train::EpochRecord& record : facts.training->history) {
    Json entry = Json::object();
    entry["epoch"] = record.epoch;
    entry["training"] = metrics_json(record.training);
    entry["evaluation"] = metrics_json(record.evaluation);
    training["epochs"].push_back(entry);
  }
  json["training"] = training;
}

}  // namespace

report::Json report_json(const RunFacts& facts) {
  Json json = Json::object();
  json["version"] = 1;
  json["title"] = facts.title;
  json["command"] = facts.command;
  if (facts.training) add_training(json, facts);
  if (facts.quantization != nullptr) add_quantization(json, facts);
  json["seed"] = facts.seed;
  json["threads"] = facts.threads;
  json["cpu"] = deploy::describe(deploy::cpu_features());
  Json versions = Json::object();
  versions["espalier"] = ESPALIER_VERSION;
  if (facts.quantization != nullptr) {
    for (const deploy::EngineReport& engine : facts.quantization->verification.engines) {
      versions[engine.name] = engine.version;
    }
  }
  json["versions"] = versions;
  Json seconds = Json::object();
  if (facts.training) seconds["train"] = facts.training_seconds;
  if (facts.quantization != nullptr) {
    for (const auto& [name, value] : facts.quantization->seconds) seconds[name] = value;
  }
  json["seconds"] = seconds;
  return json;
}

}  // namespace espalier::recipe
