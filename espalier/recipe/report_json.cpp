#include <algorithm>
#include <cmath>

#include "espalier/deploy/cpu.h"
#include "espalier/ops/cost.h"
#include "espalier/recipe/evaluation.h"
#include "espalier/recipe/report.h"

namespace espalier::recipe {
namespace {

using report::Json;
using report::to_array;

Json latency_json(const deploy::LatencySummary& latency) {
  return Json::object(
      {{"median", latency.median_ms}, {"p10", latency.p10_ms}, {"p90", latency.p90_ms}});
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
  return to_array(nodes, [](const deploy::MacNode& node) {
    return Json::object(
        {{"name", node.name}, {"op", node.op}, {"macs", node.macs}, {"layer", node.layer}});
  });
}

Json slower_json(const std::vector<deploy::LayerCost>& layers) {
  return to_array(layers, [](const deploy::LayerCost& layer) {
    return Json::object({{"name", layer.name},
                         {"type", layer.type},
                         {"float_ms", optional_json(layer.float_ms)},
                         {"quantized_ms", layer.quantized_ms}});
  });
}

Json engine_json(const deploy::EngineReport& engine) {
  Json json = Json::object();
  json["name"] = engine.name;
  json["version"] = engine.version;
  json["integer_mac_share"] = engine.integer_mac_share;
  json["left_out_mac_share"] = engine.left_out_mac_share;
  json["float_ops"] = mac_nodes_json(engine.float_ops);
  json["images"] = engine.images;
  json["agreement"] = optional_json(engine.agreement);
  json["simulation_agreement"] = optional_json(engine.simulation_agreement);
  json["metrics"] = metrics_json(engine.metrics);
  json["float_metrics"] = metrics_json(engine.float_metrics);
  json["output_sqnr_db"] = optional_json(engine.output_sqnr_db);
  json["value_sqnr_db"] = optional_json(engine.value_sqnr_db);
  if (engine.speedup) {
    json["speedup"] = Json::object({{"ratio", engine.speedup->ratio}});
    if (engine.speedup->interval) {
      json["speedup"]["low"] = engine.speedup->low;
      json["speedup"]["high"] = engine.speedup->high;
    }
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
  json["sqnr_db"] = optional_json(layer.output_sqnr_db);
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
    json["observed_low"] = optional_json(input.observed_low);
    json["observed_high"] = optional_json(input.observed_high);
    json["clipped"] = optional_json(input.clipped);
    json["input_sqnr_db"] = optional_json(input.sqnr_db);
  }
  if (weight != plan.weights.end()) {
    json["weight_sqnr_db"] = optional_json(weight->second.sqnr_db);
    if (!weight->second.method.empty()) json["weight_method"] = weight->second.method;
  }
  return json;
}

Json operators_json(const std::vector<deploy::OperatorDifference>& operators) {
  return to_array(operators, [](const deploy::OperatorDifference& check) {
    return Json::object({{"engine", check.engine},
                         {"name", check.name},
                         {"op", check.op},
                         {"elements", check.elements},
                         {"different", check.different},
                         {"worst_step", check.worst_step},
                         {"passed", check.passed()},
                         {"failure", check.failure}});
  });
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
  json["judging_images"] = result.verification.images;
  json["skipped_images"] =
      result.left_out +
      std::max<std::int64_t>(result.judging_images - result.verification.images, 0);
  json["passed"] = result.verification.passed();
  json["failures"] = result.verification.reasons();
  json["notes"] = result.notes;
  json["engines"] = to_array(result.verification.engines, engine_json);
  json["layers"] = to_array(result.layers, [&result](const LayerQuality& layer) {
    return layer_json(layer, result.plan);
  });
  json["float_nodes"] = to_array(result.plan.float_nodes, [](const quant::FloatNode& node) {
    return Json::object({{"name", node.node}, {"op", node.op}, {"reason", node.reason}});
  });
  json["operator_checks"] = operators_json(result.operators);
  json["passes"] = to_array(result.passes, [](const passes::PassRecord& record) {
    return Json::object(
        {{"name", record.name}, {"changes", static_cast<std::int64_t>(record.changes)}});
  });
}

void add_training(Json& json, const RunFacts& facts) {
  const train::TrainState& state = *facts.training;
  const auto epoch_json = [](const train::EpochRecord& record) {
    return Json::object({{"epoch", record.epoch},
                         {"training", metrics_json(record.training)},
                         {"evaluation", metrics_json(record.evaluation)}});
  };
  json["training"] = Json::object({{"seconds", facts.training_seconds},
                                   {"optimizer", state.optimizer},
                                   {"schedule", state.schedule},
                                   {"best_metric", state.best_metric},
                                   {"best_value", state.best_value},
                                   {"best_epoch", state.best_epoch},
                                   {"epochs", to_array(state.history, epoch_json)}});
  if (!facts.cut) return;
  const auto cost_json = [](const analysis::CostTable& cost) {
    return Json::object({{"macs", cost.macs}, {"parameters", cost.parameters}});
  };
  json["training"]["cut"] = Json::object(
      {{"before", cost_json(facts.cut->first)}, {"after", cost_json(facts.cut->second)}});
}

}  // namespace

report::Json report_json(const RunFacts& facts) {
  Json json = Json::object();
  json["version"] = kReportVersion;
  json["title"] = facts.title;
  json["command"] = facts.command;
  if (facts.training) add_training(json, facts);
  if (facts.pruning != nullptr) json["pruning"] = *facts.pruning;
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
