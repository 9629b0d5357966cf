#include "espalier/recipe/exporting.h"

#include <algorithm>
#include <array>
#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/ops/cost.h"
#include "espalier/passes/convert_to_int8.h"
#include "espalier/passes/freeze_weights.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "espalier/passes/open_batch.h"
#include "espalier/passes/pipelines.h"
#include "espalier/passes/remove_fake_quantize.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/plan_yaml.h"
#include "espalier/recipe/quantization.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/train/average.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/model_file.h"

namespace espalier::recipe {
namespace {

using report::Json;

/// The model to export and, of a checkpoint, where its training stood.
struct Source {
  ir::Graph graph;
  std::optional<train::TrainState> state = std::nullopt;
};

/// Puts the averages of a checkpoint in the place of its weights.
void take_averages(train::Checkpoint& checkpoint, const std::filesystem::path& path) {
  std::size_t taken = 0;
  for (ir::Value* value : checkpoint.graph.initializers()) {
    const auto slot = checkpoint.slots.find("ema/" + value->name());
    if (slot == checkpoint.slots.end()) continue;
    checkpoint.graph.set_constant(*value, slot->second);
    ++taken;
  }
  if (taken > 0) return;
  throw base::UserError({.what = fmt::format("'{}' holds no moving average", path.string()),
                         .hint = "best.espalier and the result of a stage hold it as their "
                                 "weights: export them without --averaged"});
}

Source load_source(const ExportRequest& request) {
  const std::filesystem::path path = trained_model(request.model);
  const std::string bytes = base::read_file(path);
  if (train::model_kind(bytes) != train::ModelKind::Checkpoint) {
    if (request.averaged) {
      throw base::UserError({.what = fmt::format("'{}' holds no moving average", path.string()),
                             .got = "a file that is no checkpoint"});
    }
    return {.graph = train::load_model(path)};
  }
  train::Checkpoint checkpoint = train::decode_checkpoint(bytes, path.string());
  if (request.averaged) take_averages(checkpoint, path);
  passes::run(checkpoint.graph, {passes::close_batch()});
  return {.graph = std::move(checkpoint.graph), .state = std::move(checkpoint.state)};
}

bool has_quantizers(const ir::Graph& graph) {
  return std::ranges::any_of(
      graph.nodes(), [](const ir::Node* node) { return node->domain() == ir::kEspalierDomain; });
}

std::string float_bytes(const Source& source, const ExportRequest& request) {
  return onnx::encode(source.graph, {.opset = request.opset});
}

std::string folded_bytes(const Source& source, const ExportRequest& request) {
  ir::Graph folded = source.graph.clone();
  passes::run(folded, passes::prepare_for_quantization());
  onnx::infer_shapes(folded);
  return onnx::encode(folded, {.opset = request.opset});
}

/// In the run folder; of a checkpoint, in that whose `checkpoints` hold it.
std::filesystem::path default_plan(const std::filesystem::path& model) {
  if (std::filesystem::is_directory(model)) return model / "plan.yaml";
  const std::filesystem::path file = std::filesystem::absolute(model);
  for (auto folder = file.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder.filename() == "checkpoints") {
      return (folder.parent_path() / "plan.yaml")
          .lexically_proximate(std::filesystem::current_path());
    }
  }
  return model.parent_path() / "plan.yaml";
}

quant::QuantPlan plan_of(const ExportRequest& request) {
  const std::filesystem::path path =
      request.plan.empty() ? default_plan(request.model) : request.plan;
  if (request.plan.empty() && !std::filesystem::exists(path)) {
    throw base::UserError({.what = fmt::format("form '{}' needs a plan", request.form),
                           .got = fmt::format("no '{}'", path.string()),
                           .hint = "name one with --plan, or make one: espalier quantize"});
  }
  const quant::QuantPlan plan = load_plan(path);
  if (!request.target.empty() && plan.target != request.target) {
    throw base::UserError({.what = "the plan is for another target",
                           .where = path.string(),
                           .got = fmt::format("'{}'", plan.target),
                           .expected = fmt::format("'{}'", request.target),
                           .hint = "espalier quantize --target makes a plan for it"});
  }
  return plan;
}

/// A quantized model before it is written in ONNX's operators.
struct Simulated {
  ir::Graph graph;
  quant::QuantPlan plan;
};

/// A model that was trained with quantizers has its parameters in itself; any other gets the
/// plan's.
Simulated simulate(const Source& source, const ExportRequest& request) {
  Simulated simulated{.graph = source.graph.clone(), .plan = plan_of(request)};
  if (has_quantizers(simulated.graph)) {
    TrainedModel trained = take_trained(simulated.graph, simulated.plan);
    simulated = {.graph = std::move(trained.graph), .plan = std::move(trained.plan)};
  } else {
    passes::run(simulated.graph, passes::prepare_for_quantization());
    onnx::infer_shapes(simulated.graph);
  }
  passes::run(simulated.graph, {passes::insert_fake_quantize(simulated.plan)});
  return simulated;
}

/// Runs passes over the simulated graph and writes what is left of its quantizers as QDQ.
std::string lowered_bytes(const Source& source, const ExportRequest& request,
                          const std::vector<passes::Pass>& passes) {
  Simulated simulated = simulate(source, request);
  passes::run(simulated.graph, passes);
  return encode_qdq(std::move(simulated.graph), simulated.plan, request.opset);
}

std::string qdq_bytes(const Source& source, const ExportRequest& request) {
  return lowered_bytes(source, request, {});
}

std::string frozen_bytes(const Source& source, const ExportRequest& request) {
  return lowered_bytes(source, request, {passes::freeze_weights()});
}

std::string int8_bytes(const Source& source, const ExportRequest& request) {
  return lowered_bytes(source, request, {passes::freeze_weights(), passes::convert_to_int8()});
}

/// Every form there is.
struct Form {
  std::string_view name;
  std::string (*encode)(const Source& source, const ExportRequest& request);
  bool quantized = false;  ///< has a plan
};
constexpr std::array kForms{Form{"float", &float_bytes}, Form{"folded", &folded_bytes},
                            Form{"qdq", &qdq_bytes, true}, Form{"frozen", &frozen_bytes, true},
                            Form{"int8", &int8_bytes, true}};

/// The form that is meant where none is named.
std::string form_of(const ir::Graph& graph, const ExportRequest& request) {
  const bool quantized = has_quantizers(graph) || !request.plan.empty() || !request.target.empty();
  return quantized ? "qdq" : "float";
}

Json difference(const ir::Graph& original, const std::string& exported) {
  const auto inputs = random_images(original, deploy::fixed_batch(original).value_or(2));
  if (!inputs) return {};
  const ir::Graph again = onnx::decode(exported, {.name = "the exported file"});
  const std::vector<Tensor> expected = exec::Program::compile(original, {}).run(*inputs);
  const std::vector<Tensor> outputs = exec::Program::compile(again, {}).run(*inputs);
  double worst = 0;
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    const double largest = expected[index].abs().max().item<double>();
    const double gap = (outputs[index] - expected[index]).abs().max().item<double>();
    worst = std::max(worst, gap / std::max(largest, 1e-30));
  }
  return worst;
}

}  // namespace

std::vector<std::string> export_forms() {
  std::vector<std::string> names;
  for (const Form& form : kForms) names.emplace_back(form.name);
  return names;
}

report::Json export_model(const ExportRequest& asked) {
  Source source = load_source(asked);
  ExportRequest request = asked;
  if (request.form.empty()) request.form = form_of(source.graph, asked);
  const auto form = std::ranges::find(kForms, request.form, &Form::name);
  if (form == kForms.end()) {
    throw base::UserError(base::Problem{.what = "unknown form of an export",
                                        .got = fmt::format("'{}'", request.form),
                                        .expected = "float, folded, qdq, frozen or int8"});
  }
  if (!form->quantized && (!request.plan.empty() || !request.target.empty())) {
    throw base::UserError(base::Problem{.what = "a plan and a target belong to quantized forms",
                                        .got = fmt::format("form '{}'", request.form),
                                        .expected = "qdq, frozen or int8"});
  }
  if (!form->quantized && has_quantizers(source.graph)) {
    passes::run(source.graph, {passes::remove_fake_quantize()});
    base::log_info("the form '{}' leaves the quantizers out with which the model was trained",
                   form->name);
  }
  if (!has_quantizers(source.graph)) {
    refuse_quantized(source.graph, fmt::format("form '{}' needs a float model", request.form));
  }
  const std::string bytes = form->encode(source, request);
  Json json = Json::object();
  json["model"] = trained_model(request.model).string();
  json["output"] = request.output.string();
  json["form"] = request.form;
  json["opset"] = request.opset;
  json["bytes"] = static_cast<std::int64_t>(bytes.size());
  json["parameters"] = ops::parameters(source.graph);
  json["macs"] = ops::total_macs(source.graph).macs;
  json["difference"] = difference(source.graph, bytes);
  if (form->quantized) {
    json["simulation_difference"] = difference(simulate(source, request).graph, bytes);
  }
  if (source.state) {
    json["epoch"] = source.state->epoch;
    json["step"] = source.state->step;
  }
  base::write_file_atomic(request.output, bytes);
  return json;
}

std::string export_text(const report::Json& json) {
  std::string text = fmt::format("written: {} ({} bytes, form {}, opset {})\n",
                                 json.at("output").as_string(), json.at("bytes").as_integer(),
                                 json.at("form").as_string(), json.at("opset").as_integer());
  if (!json.at("difference").is_null()) {
    text += fmt::format("largest difference from the model on random images: {:.2e}\n",
                        json.at("difference").as_number());
  }
  const report::Json* simulated = json.find("simulation_difference");
  if (simulated != nullptr && !simulated->is_null()) {
    text += fmt::format("from its simulation: {:.2e}\n", simulated->as_number());
  }
  return text;
}

}  // namespace espalier::recipe
