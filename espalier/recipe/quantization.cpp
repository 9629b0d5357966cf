#include "espalier/recipe/quantization.h"

#include <algorithm>
#include <chrono>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sum.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/deploy/cpu.h"
#include "espalier/deploy/verdict.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/opset.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/drop_clip_bounds.h"
#include "espalier/passes/extract_plan.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "espalier/passes/insert_training_quantizers.h"
#include "espalier/passes/lower_to_qdq.h"
#include "espalier/passes/open_batch.h"
#include "espalier/passes/operands.h"
#include "espalier/passes/pipelines.h"
#include "espalier/quant/bias_correction.h"
#include "espalier/quant/planner.h"
#include "espalier/quant/quality.h"
#include "espalier/quant/rounding.h"
#include "espalier/quant/target.h"
#include "espalier/recipe/batches.h"
#include "espalier/recipe/layer_quality.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/verification.h"
#include "espalier/train/reestimate_norms.h"

namespace espalier::recipe {
namespace {

constexpr std::int64_t kJudgingBatch = 64;
/// Judging images that are looked at layer by layer and operator by operator.
constexpr std::int64_t kCheckedImages = 16;
/// Calibration images on which whole plans are compared.
constexpr std::int64_t kErrorImages = 64;

/// Adds the time of a scope to a named entry.
class Stopwatch {
 public:
  Stopwatch(std::map<std::string, double>& seconds, std::string name)
      : seconds_(seconds), name_(std::move(name)), start_(std::chrono::steady_clock::now()) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    seconds_[name_] += spent.count();
  }

 private:
  std::map<std::string, double>& seconds_;
  std::string name_;
  std::chrono::steady_clock::time_point start_;
};

void prepare(ir::Graph& graph, std::vector<passes::PassRecord>& records) {
  for (const passes::PassRecord& record : passes::run(graph, passes::prepare_for_quantization())) {
    if (record.changes > 0) records.push_back(record);
  }
  onnx::infer_shapes(graph);
}

quant::Statistics calibrate(const ir::Graph& prepared, const QuantizationData& data,
                            const QuantizationRequest& request) {
  const std::vector<std::string> values = quant::values_to_observe(prepared, request.stage.plan);
  const auto total =
      static_cast<std::int64_t>(std::min(data.calibration->size(), request.calibration.samples));
  report::Progress progress(
      {.title = "calibrate", .total = total, .unit = "images", .style = request.progress});
  const auto micro_batch = static_cast<std::int64_t>(request.calibration.micro_batch);
  quant::Statistics statistics = quant::collect(
      prepared, values, calibration_source(data, micro_batch),
      {.samples = request.calibration.samples,
       .micro_batch = request.calibration.micro_batch,
       .threads = request.threads,
       .progress = [&](std::size_t done) { progress.update(static_cast<std::int64_t>(done)); }});
  progress.finish();
  return statistics;
}

/// Images that are run together: 64 of 224 x 224, fewer larger ones, so that memory has a bound.
std::int64_t images_at_once(std::span<const Tensor> images) {
  constexpr std::int64_t kElements = kErrorImages * 3 * 224 * 224;
  if (images.empty() || images.front().size(0) == 0) return 1;
  const std::int64_t elements = images.front().numel() / images.front().size(0);
  return std::clamp<std::int64_t>(kElements / std::max<std::int64_t>(elements, 1), 1, kErrorImages);
}

/// Outputs for any number of images, whatever batch the file fixes.
std::vector<Tensor> run_graph(const ir::Graph& graph, std::span<const Tensor> images) {
  const auto program = exec::Program::compile(graph, {});
  const deploy::RunModel run = [&program](std::span<const Tensor> part) {
    return program.run(part);
  };
  return deploy::run_batched(run, images,
                             deploy::fixed_batch(graph).value_or(images_at_once(images)));
}

/// Class numbers and the like say nothing about a distance: in their place come the scores that
/// they are chosen from.
void put_scores_out(ir::Graph& graph) {
  for (std::size_t index = 0; index < graph.outputs().size(); ++index) {
    ir::Value* value = graph.outputs()[index];
    while (!tensor::is_floating(value->type().dtype) && value->producer() != nullptr) {
      ir::Value* source = value->producer()->input(0);
      if (source == nullptr || source->is_initializer()) break;
      value = source;
    }
    if (tensor::is_floating(value->type().dtype)) graph.set_output(index, *value);
  }
}

/// Error of a plan: mean squared difference of the simulated outputs from the float ones on
/// calibration images, relative to the float outputs' mean square.
quant::PlanError output_error(const ir::Graph& prepared, const QuantizationData& data) {
  std::vector<Tensor> images = calibration_source(data, kErrorImages)();
  ir::Graph scores = prepared.clone();
  put_scores_out(scores);
  std::vector<Tensor> expected = run_graph(scores, images);
  return [&prepared, images = std::move(images),
          expected = std::move(expected)](const quant::QuantPlan& plan) {
    ir::Graph simulated = prepared.clone();
    passes::run(simulated, {passes::insert_fake_quantize(plan)}, {.verify = false});
    put_scores_out(simulated);
    const std::vector<Tensor> outputs = run_graph(simulated, images);
    double noise = 0;
    double signal = 0;
    for (std::size_t index = 0; index < outputs.size(); ++index) {
      noise += quant::energy_of(outputs[index] - expected[index]);
      signal += quant::energy_of(expected[index]);
    }
    return signal > 0 ? noise / signal : noise;
  };
}

/// Chooses the rounding of weights and corrects biases, where the request asks for it and the
/// measured error gets lower.
void refine(const ir::Graph& prepared, const quant::Statistics& statistics,
            const QuantizationData& data, const QuantizationRequest& request,
            QuantizationResult& result) {
  const quant::PlanError error = output_error(prepared, data);
  double best = error(result.plan);
  const auto note = [&](std::string_view what, double before, double after) {
    result.notes.push_back(fmt::format("{}: relative output error {:.3e} -> {:.3e}{}", what, before,
                                       after, after < before ? "" : ", not kept"));
    base::log_info("{}", result.notes.back());
  };
  if (request.stage.rounding) {
    quant::QuantPlan candidate = result.plan;
    const auto micro_batch = static_cast<std::int64_t>(request.calibration.micro_batch);
    quant::GramOptions moments{.micro_batch = request.calibration.micro_batch,
                               .threads = request.threads};
    // Whole micro-batches: the file may fix their size.
    moments.samples = std::min(moments.samples, request.calibration.samples);
    moments.samples -= moments.samples % moments.micro_batch;
    moments.samples = std::max(moments.samples, moments.micro_batch);
    quant::optimize_rounding(prepared, candidate,
                             [&] { return calibration_source(data, micro_batch); },
                             {.data = moments, .threads = request.threads});
    if (!request.stage.bias_correction) candidate.bias_corrections.clear();
    const double after = error(candidate);
    note("weight rounding by output error", best, after);
    if (after < best) {
      result.plan = std::move(candidate);
      best = after;
    }
  }
  if (!request.stage.bias_correction) return;
  quant::QuantPlan candidate = result.plan;
  if (quant::correct_biases(prepared, candidate, statistics, error) == 0) return;
  const double after = error(candidate);
  note("bias correction", best, after);
  if (after < best) result.plan = std::move(candidate);
}

std::vector<std::string> engines_of(std::string_view target) {
  const auto names = quant::find_target(target).engines;
  return {names.begin(), names.end()};
}

/// Nodes that the user's options leave in float.
std::vector<std::string> left_out(const quant::QuantPlan& plan) {
  std::vector<std::string> names;
  for (const quant::FloatNode& node : plan.float_nodes) {
    if (node.asked) names.push_back(node.node);
  }
  return names;
}

deploy::VerifyReport verify_model(const QuantizationResult& result, const QuantizationData& data,
                                  const QuantizationRequest& request) {
  const VerifyConfig& config = request.stage.verify;
  const exec::Program simulation = exec::Program::compile(result.simulated, {});
  const deploy::RunModel simulate = [&simulation](std::span<const Tensor> inputs) {
    return simulation.run(inputs);
  };
  const auto batch = deploy::fixed_batch(result.simulated);
  const auto total = static_cast<std::int64_t>(data.judging->size());
  report::Progress progress(
      {.title = "verify", .total = total, .unit = "images", .style = request.progress});
  deploy::VerifyReport verification =
      deploy::verify({.float_model = result.float_model,
                      .quantized_model = result.quantized_model,
                      .simulate =
                          [&](std::span<const Tensor> inputs) {
                            return deploy::run_batched(simulate, inputs, batch);
                          },
                      .reference =
                          [&](std::span<const Tensor> inputs) {
                            return exec::Program::compile(request.graph, {}).run(inputs);
                          },
                      .batches = judging_source(data, kJudgingBatch),
                      .engines = config.engines,
                      .bounds = bounds_of(config),
                      .left_out = left_out(result.plan),
                      .outputs = config.outputs,
                      .integer_engines = engines_of(request.stage.plan.target),
                      .threads = request.threads,
                      .latency_rounds = config.latency_rounds,
                      .progress = [&](std::int64_t done) { progress.update(done); }});
  progress.finish();
  return verification;
}

/// The first judging images, for checks that need few. Where there are fewer than `fixed`, the
/// batch of the file, the last one is repeated.
std::vector<Tensor> some_images(const QuantizationData& data, std::optional<std::int64_t> fixed) {
  const auto batch = judging_source(data, fixed.value_or(kCheckedImages))()();
  if (!batch) return {};
  const std::int64_t found = batch->images.size(0);
  if (!fixed || found >= *fixed) return {batch->images};
  const Tensor places = at::arange(*fixed, at::kLong).clamp_max(found - 1);
  return {batch->images.index_select(0, places)};
}

/// A plan without weights would ship the float model as a quantized one.
void refuse_empty(const quant::QuantPlan& plan, const ir::Graph& prepared) {
  if (plan.weights.empty()) quant::refuse_empty(prepared.name, plan.float_nodes);
}

void warn_about_processor(const quant::PlanOptions& plan, std::vector<std::string>& notes) {
  if (deploy::has_vnni() || plan.reduce_range) return;
  notes.emplace_back(
      "this processor has no VNNI: 8-bit weights saturate in 16-bit sums here; use --reduce-range "
      "for a file that is safe on such processors");
  base::log_warning("{}", notes.back());
}

/// One quantization on its way: each step works on what the ones before left.
struct Work {
  explicit Work(const QuantizationRequest& asked)
      : request((check_quantizable(asked.graph), asked)),
        prepared(asked.graph.clone()),
        data(open_quantization_data(asked.data, asked.calibration, asked.stage.verify.samples)) {
    warn_about_processor(request.stage.plan, result.notes);
    result.float_model = onnx::encode(request.graph, {.opset = request.opset});
    {
      const Stopwatch watch(result.seconds, "prepare");
      prepare(prepared, result.passes);
    }
    result.judging_images = static_cast<std::int64_t>(data.judging->size());
    result.left_out = static_cast<std::int64_t>(data.judging->num_skipped());
    batch = deploy::fixed_batch(prepared);
    request.calibration = fit_to_batch(request.calibration, batch, data.calibration->size());
    check_images(prepared, some_images(data, 1).at(0), request.data.source);
  }

  void calibrate_and_plan() {
    base::log_info("calibration on {}", data.description);
    {
      const Stopwatch watch(result.seconds, "calibrate");
      statistics = calibrate(prepared, data, request);
    }
    const Stopwatch watch(result.seconds, "plan");
    quant::PlanOptions options = request.stage.plan;
    options.error = output_error(prepared, data);
    result.plan = quant::make_plan(prepared, statistics, options);
    refuse_empty(result.plan, prepared);
    for (std::string& line : quant::describe_shared_bits(prepared, result.plan, options)) {
      base::log_warning("{}", line);
      result.notes.push_back(std::move(line));
    }
    result.plan.calibration =
        fmt::format("{}, micro-batch {}", data.description, request.calibration.micro_batch);
  }

  /// Goes on with what a training made of it.
  void take(TrainedModel model) {
    prepared = std::move(model.graph);
    result.plan = std::move(model.plan);
  }

  QuantizationResult export_and_verify() {
    {
      const Stopwatch watch(result.seconds, "export");
      result.simulated = prepared.clone();
      passes::run(result.simulated, {passes::insert_fake_quantize(result.plan)});
      result.quantized_model = encode_qdq(result.simulated.clone(), result.plan, request.opset);
    }
    prove();
    return std::move(result);
  }

  void prove() {
    const Stopwatch watch(result.seconds, "verify");
    const std::vector<Tensor> images = some_images(data, batch);
    result.layers = measure_layers(prepared, result.simulated, result.plan, images);
    result.verification = verify_model(result, data, request);
    result.operators = deploy::check_operators({.quantized_model = result.quantized_model,
                                                .images = images,
                                                .engines = request.stage.verify.engines,
                                                .threads = request.threads});
    deploy::judge_operators(result.verification, result.operators);
  }

  QuantizationRequest request;
  QuantizationResult result = {};
  ir::Graph prepared;
  QuantizationData data;
  std::optional<std::int64_t> batch = std::nullopt;
  quant::Statistics statistics = {};
};

}  // namespace

std::string encode_qdq(ir::Graph simulated, const quant::QuantPlan& plan, int opset) {
  // Quantizers of more than 8 bits need the operators of a higher set.
  if (opset > passes::opset_of(simulated)) onnx::convert_opset(simulated, opset);
  passes::run(simulated, {passes::drop_clip_bounds(), passes::lower_to_qdq(plan)});
  return onnx::encode(simulated, {.opset = opset});
}

std::string apply_plan(const ir::Graph& graph, const quant::QuantPlan& plan, int opset) {
  ir::Graph prepared = graph.clone();
  std::vector<passes::PassRecord> records;
  prepare(prepared, records);
  refuse_empty(plan, prepared);
  passes::run(prepared, {passes::insert_fake_quantize(plan)});
  return encode_qdq(std::move(prepared), plan, opset);
}

void check_plan_options(const ir::Graph& graph, const quant::PlanOptions& options,
                        const std::vector<passes::EstimatorRule>& rules) {
  if (options.skip.empty() && options.bits.empty() && rules.empty()) return;
  ir::Graph prepared = graph.clone();
  std::vector<passes::PassRecord> records;
  prepare(prepared, records);
  quant::check_layer_rules(prepared, options);
  passes::check_estimator_rules(prepared, rules);
}

quant::QuantPlan calibrated_plan(const QuantizationRequest& request) {
  Work work(request);
  work.calibrate_and_plan();
  return std::move(work.result.plan);
}

ir::Graph training_graph(const ir::Graph& graph, const quant::QuantPlan& plan,
                         const passes::TrainingQuantizers& quantizers) {
  ir::Graph training = graph.clone();
  passes::run(training, passes::prepare_for_training());
  onnx::infer_shapes(training);
  passes::run(training, {passes::insert_training_quantizers(plan, quantizers)});
  return training;
}

void reestimate_batch_norm(ir::Graph& trained, const DataSplits& data,
                           const CalibrationConfig& calibration) {
  const QuantizationData opened = open_quantization_data(data, calibration, /*judging_samples=*/0);
  const auto next = training_source(opened, data.for_training().sampler.batch_size);
  const train::NextInputs inputs = [&]() -> std::vector<Tensor> {
    const std::optional<data::Batch> batch = next();
    return batch ? std::vector<Tensor>{batch->images} : std::vector<Tensor>{};
  };
  // Statistics of the few images that a file may fix are not those of a training.
  passes::run(trained, {passes::open_batch()});
  const train::ReestimateResult done = train::reestimate_norms(trained, inputs);
  passes::run(trained, {passes::close_batch()});
  base::log_info("statistics of {} BatchNormalization nodes computed anew on {} images", done.norms,
                 done.images);
}

TrainedModel take_trained(const ir::Graph& trained, const quant::QuantPlan& before) {
  TrainedModel model{.graph = trained.clone(), .plan = {}};
  passes::run(model.graph, passes::finish_training());
  model.plan = passes::extract_plan(model.graph, before);
  onnx::infer_shapes(model.graph);
  return model;
}

std::string encode_trained(const ir::Graph& trained, const quant::QuantPlan& before, int opset) {
  TrainedModel model = take_trained(trained, before);
  passes::run(model.graph, {passes::insert_fake_quantize(model.plan)});
  return encode_qdq(std::move(model.graph), model.plan, opset);
}

QuantizationResult quantize_model(const QuantizationRequest& request) {
  Work work(request);
  work.calibrate_and_plan();
  if (request.stage.qat) {
    const Stopwatch watch(work.result.seconds, "train");
    const QatConfig& config = *request.stage.qat;
    const ir::Graph trained =
        request.train(training_graph(request.graph, work.result.plan, config.quantizers));
    work.take(take_trained(trained, work.result.plan));
  } else {
    const Stopwatch watch(work.result.seconds, "refine");
    refine(work.prepared, work.statistics, work.data, work.request, work.result);
  }
  return work.export_and_verify();
}

QuantizationResult prove_trained(const QuantizationRequest& request, TrainedModel model) {
  Work work(request);
  work.take(std::move(model));
  return work.export_and_verify();
}

}  // namespace espalier::recipe
