#include "espalier/deploy/verify.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/interrupt.h"
#include "espalier/data/labels.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/deploy/bench.h"
#include "espalier/deploy/cpu.h"
#include "espalier/deploy/output_match.h"
#include "espalier/deploy/verdict.h"
#include "espalier/exec/observe_shapes.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"

namespace espalier::deploy {
namespace {

/// Does `work`; what it throws becomes a failure "<stage>: <text>". Interrupts and our own bugs
/// pass. Returns whether it went well.
template <typename Work>
bool attempt(std::vector<std::string>& failures, std::string_view stage, const Work& work) {
  try {
    work();
    return true;
  } catch (const base::Interrupted&) {
    throw;
  } catch (const base::InternalError&) {
    throw;
  } catch (const std::exception& error) {
    failures.push_back(fmt::format("{}: {}", stage, error.what()));
    return false;
  }
}

/// The two files as graphs.
struct Files {
  ir::Graph float_graph;
  ir::Graph quantized_graph;
  std::optional<std::int64_t> batch;  ///< that one of them fixes, or both
  /// Copies with made-up names, for engines to tell layers of; empty where the nodes have names.
  std::string named_float = {};
  std::string named_quantized = {};
};

/// A copy of the file in which every node has the name that decoding made up; empty where it has
/// one of its own.
std::string with_names(std::string_view bytes, const ir::Graph& graph) {
  if (onnx::file_facts(bytes).nodes_are_named) return {};
  const auto opset = graph.opsets.find("");
  return onnx::encode(graph,
                      {.opset = opset == graph.opsets.end() ? onnx::kDefaultOpset : opset->second});
}

/// One engine with both models, and what they have given so far.
class EngineCheck {
 public:
  EngineCheck(const VerifyRequest& request, const Files& files, std::string name)
      : request_(request),
        files_(files),
        match_(request.outputs),
        simulation_match_(request.outputs) {
    report_.name = std::move(name);
    usable_ = attempt(report_.failures, "open", [&] {
      engine_ = &request_.open(report_.name);
      report_.version = engine_->version();
    });
    const EngineOptions options{.threads = request_.threads};
    usable_ = usable_ && attempt(report_.failures, "load the float file", [&] {
                float_model_ = engine_->load(request_.float_model, options);
              });
    usable_ = usable_ && attempt(report_.failures, "load the INT8 file", [&] {
                quantized_model_ = engine_->load(request_.quantized_model, options);
              });
  }

  /// Reads the optimized graph of the INT8 file back and what follows from it. `inputs`: one
  /// sample.
  void inspect(const std::vector<Tensor>& inputs) {
    std::unique_ptr<EngineModel> model;
    usable_ = usable_ && attempt(report_.failures, "run the INT8 file",
                                 [&] { model = run_inspected(quantized_bytes(), inputs); });
    if (!usable_) return;
    attempt(report_.failures, "read the optimized graph back", [&] {
      layers_ = model->layers();
      report_.profile = read_profile(report_.name, files_.quantized_graph, layers_);
      if (!request_.simulate || report_.profile.plain()) return;
      const ir::Graph profiled = apply_profile(files_.quantized_graph, report_.profile);
      simulation_ = exec::Program::compile(profiled, {});
    });
  }

  /// Compares what the engine makes of the float file with what the executor does: an engine that
  /// computes the model itself otherwise is no measure of the INT8 file.
  void check_float(const std::vector<Tensor>& inputs, const std::vector<Tensor>& expected) {
    constexpr double kTolerance = 0.01;  // far above rounding, far below another function
    if (!usable_ || expected.empty()) return;
    attempt(report_.failures, "run the float file", [&] {
      const std::vector<Tensor> outputs = run_batched(*float_model_, inputs, files_.batch);
      for (std::size_t index = 0; index < expected.size(); ++index) {
        if (!expected[index].is_floating_point()) continue;
        const double largest = expected[index].abs().max().item<double>();
        const double apart = (outputs[index] - expected[index]).abs().max().item<double>();
        if (!(apart > kTolerance * largest)) continue;
        report_.failures.push_back(
            fmt::format("computes the float file itself otherwise: outputs differ from the "
                        "executor's by {:.2g} of the largest, expected at most {}, so nothing is "
                        "said here about the INT8 file",
                        apart / largest, kTolerance));
        return;
      }
    });
  }

  void add_batch(const data::Batch& batch, const std::vector<Tensor>& simulated) {
    if (!usable_) return;
    const std::vector<Tensor> inputs = {batch.images};
    std::vector<Tensor> expected;
    std::vector<Tensor> outputs;
    usable_ = attempt(report_.failures, "run the float file",
                      [&] { expected = run_batched(*float_model_, inputs, files_.batch); }) &&
              attempt(report_.failures, "run the INT8 file",
                      [&] { outputs = run_batched(*quantized_model_, inputs, files_.batch); });
    if (!usable_) return;
    report_.images += batch.images.size(0);
    report_.not_finite += count_not_finite(outputs);
    usable_ = attempt(report_.failures, "compare with the float file",
                      [&] { match_.add(expected, outputs); });
    if (!usable_) return;
    noise_.add(expected, outputs);
    kind_ = output_kind(expected.front(), request_.outputs);
    if (kind_ == OutputKind::Scores && batch.labels.defined()) {
      data::check_labels(batch, expected.front().size(1));
    }
    float_accuracy_.add(expected.front(), batch.labels, kind_);
    accuracy_.add(outputs.front(), batch.labels, kind_);
    compare_simulation(inputs, simulated, outputs);
  }

  /// What has been counted over the images becomes part of the report.
  void summarize() {
    report_.agreement = match_.agreement();
    report_.different = match_.different();
    report_.value_sqnr_db = match_.value_decibel();
    report_.simulation_agreement = simulation_match_.agreement();
    report_.simulation_different = simulation_match_.different();
    report_.simulation_value_sqnr_db = simulation_match_.value_decibel();
    report_.float_metrics = float_accuracy_.percent();
    report_.metrics = accuracy_.percent();
    report_.output_sqnr_db = noise_.decibel();
  }

  void measure_latency(const std::vector<Tensor>& inputs) {
    if (!usable_ || request_.latency_rounds <= 0) return;
    usable_ = attempt(report_.failures, "measure the latency", [&] {
      LatencyPair times =
          measure_pair({.name = "float", .run = [&] { (void)float_model_->run(inputs); }},
                       {.name = "INT8", .run = [&] { (void)quantized_model_->run(inputs); }},
                       {.rounds = request_.latency_rounds});
      report_.float_latency = std::move(times.first);
      report_.latency = std::move(times.second);
      report_.speedup = times.ratio;
    });
  }

  /// Integer share and, when INT8 is not faster, the layers that cost more. `shaped`: the INT8
  /// file's graph with all shapes known.
  void attribute(const ir::Graph& shaped, const std::vector<Tensor>& inputs) {
    if (!usable_) return;
    attempt(report_.failures, "attribute the work to layers", [&] {
      IntegerShare share = attribute_macs(shaped, layers_);
      report_.integer_mac_share = share.share;
      report_.left_out_mac_share = left_out(share.nodes);
      std::ranges::copy_if(share.nodes, std::back_inserter(report_.float_ops),
                           [](const MacNode& node) { return !node.integer; });
      std::ranges::stable_sort(report_.float_ops, std::greater<>(), &MacNode::macs);
      report_.mac_nodes = std::move(share.nodes);
      if (!report_.speedup || report_.speedup->ratio > 1) return;
      report_.slower_layers =
          slower_layers(run_inspected(float_bytes(), inputs)->layers(), layers_);
    });
  }

  /// Share of the MACs that stay in float as the user's options say.
  [[nodiscard]] double left_out(const std::vector<MacNode>& nodes) const {
    std::int64_t all = 0;
    std::int64_t asked = 0;
    for (const MacNode& node : nodes) {
      all += node.macs;
      const bool listed =
          std::ranges::find(request_.left_out, node.name) != request_.left_out.end();
      if (listed && !node.integer) asked += node.macs;
    }
    return all > 0 ? static_cast<double>(asked) / static_cast<double>(all) : 0;
  }

  [[nodiscard]] EngineReport take_report() {
    VerifyBounds bounds = request_.bounds;
    const auto& made_for = request_.integer_engines;
    if (made_for && std::ranges::find(*made_for, report_.name) == made_for->end()) {
      bounds.min_integer_mac_share = 0;
      bounds.allow_slower = true;
      report_.notes.emplace_back(
          "the target is not this engine: integers and speed are not judged here");
    }
    if (kind_ == OutputKind::DenseScores && !report_.metrics.contains("pixel_accuracy")) {
      report_.notes.emplace_back(
          "judged by the largest channel of every pixel, as classes are; where channels are values "
          "(an image, a flow), declare the outputs to be values");
    }
    judge(report_, bounds);
    return std::move(report_);
  }
  [[nodiscard]] OutputKind kind() const { return kind_; }

 private:
  /// Against the file as this engine computes it, or as it is written when they are the same.
  void compare_simulation(const std::vector<Tensor>& inputs, const std::vector<Tensor>& simulated,
                          const std::vector<Tensor>& outputs) {
    if (!request_.simulate || simulated.empty()) return;
    usable_ = attempt(report_.failures, "compare with the simulation", [&] {
      const RunModel run = [this](std::span<const Tensor> part) { return simulation_->run(part); };
      simulation_match_.add(simulation_ ? run_batched(run, inputs, files_.batch) : simulated,
                            outputs);
    });
  }

  [[nodiscard]] std::string_view float_bytes() const {
    return files_.named_float.empty() ? request_.float_model : files_.named_float;
  }
  [[nodiscard]] std::string_view quantized_bytes() const {
    return files_.named_quantized.empty() ? request_.quantized_model : files_.named_quantized;
  }

  /// A model that can tell its layers and their times.
  [[nodiscard]] std::unique_ptr<EngineModel> run_inspected(
      std::string_view bytes, const std::vector<Tensor>& inputs) const {
    constexpr int kRuns = 10;
    auto model = engine_->load(bytes, {.threads = request_.threads, .inspect = true});
    for (int run = 0; run < kRuns; ++run) (void)model->run(inputs);
    return model;
  }

  const VerifyRequest& request_;
  const Files& files_;
  EngineReport report_;
  Engine* engine_ = nullptr;
  bool usable_ = false;
  std::unique_ptr<EngineModel> float_model_;
  std::unique_ptr<EngineModel> quantized_model_;
  OutputKind kind_ = OutputKind::Values;
  OutputMatch match_;
  OutputMatch simulation_match_;
  std::optional<exec::Program> simulation_;  ///< only where the engine departs from the file
  std::vector<EngineLayer> layers_;          ///< of the INT8 file
  Accuracy float_accuracy_;
  Accuracy accuracy_;
  SignalToNoise noise_;
};

/// Reads both files; failures go to the report.
std::optional<Files> read_files(const VerifyRequest& request, VerifyReport& report) {
  Files files;
  const bool sound =
      attempt(report.failures, "read the float file",
              [&] {
                files.float_graph = onnx::decode(request.float_model, {.name = "the float file"});
              }) &&
      attempt(report.failures, "read the INT8 file", [&] {
        files.quantized_graph = onnx::decode(request.quantized_model, {.name = "the INT8 file"});
      });
  if (!sound) return std::nullopt;
  files.batch = fixed_batch(files.quantized_graph);
  const auto float_batch = fixed_batch(files.float_graph);
  if (files.batch && float_batch && *files.batch != *float_batch) {
    report.failures.push_back(fmt::format(
        "the float file fixes a batch of {}, the INT8 file one of {}", *float_batch, *files.batch));
    return std::nullopt;
  }
  if (!files.batch) files.batch = float_batch;
  files.named_float = with_names(request.float_model, files.float_graph);
  files.named_quantized = with_names(request.quantized_model, files.quantized_graph);
  return files;
}

/// One sample (or as many as the file fixes) as the models take it.
std::vector<Tensor> one_sample(const Files& files, const Tensor& images) {
  const std::int64_t batch = files.batch.value_or(1);
  if (!images.defined() || images.size(0) < batch) {
    return random_inputs(files.quantized_graph, batch, /*unknown_size=*/{}, /*seed=*/1);
  }
  return {images.narrow(0, 0, batch).contiguous()};
}

/// What the executor makes of the float file; nothing where it was not asked for or cannot run it.
std::vector<Tensor> run_reference(const VerifyRequest& request, const std::vector<Tensor>& sample) {
  std::vector<std::string> ignored;
  std::vector<Tensor> outputs;
  if (request.reference) attempt(ignored, "", [&] { outputs = request.reference(sample); });
  return outputs;
}

/// One pass over the images through the simulation and all engines. Gives one sample.
std::vector<Tensor> run_images(const VerifyRequest& request, const Files& files,
                               std::vector<EngineCheck>& checks, VerifyReport& report) {
  std::vector<Tensor> sample;
  const auto inspect = [&](const Tensor& images) {
    sample = one_sample(files, images);
    for (EngineCheck& check : checks) check.inspect(sample);
  };
  if (!request.batches) {
    inspect({});
    return sample;
  }
  const NextBatch next = request.batches();
  bool simulating = static_cast<bool>(request.simulate);
  std::int64_t seen = 0;
  while (const std::optional<data::Batch> batch = next()) {
    base::stop_if_interrupted();
    if (sample.empty()) {
      inspect(batch->images);
      const std::vector<Tensor> expected = run_reference(request, sample);
      for (EngineCheck& check : checks) check.check_float(sample, expected);
    }
    std::vector<Tensor> simulated;
    simulating = simulating && attempt(report.failures, "run the simulation", [&] {
                   simulated = request.simulate(std::vector<Tensor>{batch->images});
                 });
    for (EngineCheck& check : checks) check.add_batch(*batch, simulated);
    seen += batch->images.size(0);
    if (request.progress) request.progress(seen);
  }
  report.images = seen;
  if (seen == 0) {
    report.failures.emplace_back("the data set has no image");
    inspect({});
  }
  return sample;
}

/// The INT8 file's graph with the shapes of the sample, so that MACs can be counted.
ir::Graph fix_shapes(const Files& files, const std::vector<Tensor>& sample, VerifyReport& report) {
  ir::Graph graph = files.quantized_graph.clone();
  attempt(report.failures, "infer the shapes of the INT8 file", [&] {
    std::map<std::string, tensor::Shape> shapes;
    const auto& inputs = graph.inputs();
    for (std::size_t index = 0; index < std::min(sample.size(), inputs.size()); ++index) {
      shapes[inputs[index]->name()] = tensor::make_shape(sample[index].sizes().vec());
    }
    onnx::infer_shapes(graph, shapes);
    exec::observe_shapes(graph, sample);
  });
  return graph;
}

}  // namespace

bool VerifyReport::passed() const {
  return failures.empty() && std::ranges::all_of(engines, &EngineReport::passed);
}

std::vector<std::string> VerifyReport::reasons() const {
  std::vector<std::string> all = failures;
  for (const EngineReport& engine : engines) {
    for (const std::string& failure : engine.failures) {
      all.push_back(fmt::format("{}: {}", engine.name, failure));
    }
  }
  return all;
}

VerifyReport verify(const VerifyRequest& request) {
  VerifyReport report{.float_bytes = static_cast<std::int64_t>(request.float_model.size()),
                      .quantized_bytes = static_cast<std::int64_t>(request.quantized_model.size()),
                      .cpu = describe(cpu_features())};
  if (request.engines.empty()) report.failures.emplace_back("no engine was asked for");
  std::optional<Files> files = read_files(request, report);
  if (!files) return report;
  std::vector<EngineCheck> checks;
  for (const std::string& name : request.engines) checks.emplace_back(request, *files, name);
  const std::vector<Tensor> sample = run_images(request, *files, checks, report);
  const ir::Graph shaped = fix_shapes(*files, sample, report);
  for (EngineCheck& check : checks) {
    base::stop_if_interrupted();
    check.summarize();
    check.measure_latency(sample);
    check.attribute(shaped, sample);
    report.output_kind = check.kind();
    report.engines.push_back(check.take_report());
  }
  return report;
}

}  // namespace espalier::deploy
