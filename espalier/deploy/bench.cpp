#include "espalier/deploy/bench.h"

#include <memory>
#include <utility>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/random.h"
#include "espalier/onnx/codec.h"
#include "espalier/tensor/dtype.h"

namespace espalier::deploy {
namespace {

Tensor random_input(const std::vector<std::int64_t>& sizes, tensor::DType dtype,
                    base::Random& random) {
  const auto scalar = tensor::to_scalar_type(dtype);
  base::require_supported(scalar.has_value(), "no tensor can hold an input of type {}",
                          tensor::to_string(dtype));
  Tensor values = at::empty(sizes, at::TensorOptions().dtype(at::kFloat));
  float* data = values.mutable_data_ptr<float>();
  const bool floating = tensor::is_floating(dtype);
  constexpr std::uint64_t kIntegers = 100;
  for (std::int64_t index = 0; index < values.numel(); ++index) {
    data[index] = floating ? static_cast<float>(random.normal())
                           : static_cast<float>(random.below(kIntegers));
  }
  return values.to(*scalar);
}

/// A subject with its model loaded and its inputs made.
struct Loaded {
  Engine* engine = nullptr;
  std::unique_ptr<EngineModel> model;
  std::vector<Tensor> inputs;
};

Loaded load(const BenchSubject& subject, const BenchOptions& options) {
  Loaded loaded;
  loaded.engine = &options.open(subject.engine);
  const ir::Graph graph = onnx::decode(subject.bytes, {.name = subject.model});
  loaded.inputs = random_inputs(graph, options.batch, options.unknown_size, options.seed);
  loaded.model =
      load_named(*loaded.engine, subject.model, subject.bytes, {.threads = options.threads});
  return loaded;
}

/// Sizes whose product no memory holds are refused before libtorch multiplies them.
void check_room(const std::string& name, const std::vector<std::int64_t>& sizes) {
  constexpr double kMostElements = 1e15;
  double elements = 1;
  for (const std::int64_t size : sizes) elements *= static_cast<double>(size);
  base::check(
      elements < kMostElements,
      "not enough memory for input '{}': got {:.1e} elements (use a smaller batch or image)", name,
      elements);
}

std::vector<std::vector<std::int64_t>> sizes_of(const std::vector<Tensor>& tensors) {
  std::vector<std::vector<std::int64_t>> sizes;
  for (const Tensor& tensor : tensors) sizes.push_back(tensor.sizes().vec());
  return sizes;
}

}  // namespace

std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch,
                                  tensor::OpenSizes unknown_size, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (std::size_t index = 0; index < graph.inputs().size(); ++index) {
    const ir::Value& input = *graph.inputs()[index];
    base::check(input.type().shape.has_value(), "input '{}' has no shape: give it one",
                input.name());
    std::vector<std::int64_t> sizes;
    for (const tensor::Dim& dim : *input.type().shape) {
      sizes.push_back(dim.size.value_or(sizes.empty() ? batch : unknown_size.along(sizes.size())));
    }
    check_room(input.name(), sizes);
    base::Random random(seed, /*stream=*/index);
    inputs.push_back(random_input(sizes, input.type().dtype, random));
  }
  return inputs;
}

std::vector<BenchRow> bench(const std::vector<BenchSubject>& subjects,
                            const BenchOptions& options) {
  base::check(!subjects.empty(), "nothing to measure: give at least one model and one engine");
  std::vector<Loaded> loaded;
  std::vector<LatencySubject> work;
  for (const BenchSubject& subject : subjects) loaded.push_back(load(subject, options));
  for (std::size_t index = 0; index < subjects.size(); ++index) {
    Loaded& item = loaded[index];
    work.push_back({.name = fmt::format("{} in {}", subjects[index].model, subjects[index].engine),
                    .run = [&item] { (void)item.model->run(item.inputs); }});
  }
  std::vector<LatencySummary> times = measure_interleaved(work, options.latency);
  std::vector<BenchRow> rows;
  for (std::size_t index = 0; index < subjects.size(); ++index) {
    rows.push_back({.model = subjects[index].model,
                    .engine = subjects[index].engine,
                    .version = loaded[index].engine->version(),
                    .inputs = sizes_of(loaded[index].inputs),
                    .latency = times[index],
                    .against_first = paired_ratio(times.front(), times[index])});
  }
  return rows;
}

}  // namespace espalier::deploy
