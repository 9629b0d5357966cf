#include "espalier/deploy/operator_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <ATen/TensorOperators.h>

#include "espalier/base/error.h"
#include "espalier/deploy/operator_model.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/tensor/worker_threads.h"

namespace espalier::deploy {
namespace {

using Codes = std::map<std::string, Tensor, std::less<>>;

/// All code values that the operators read, as the simulation computes them from the images.
Codes compute_codes(const ir::Graph& quantized, const std::vector<OperatorModel>& operators,
                    const std::vector<Tensor>& images) {
  std::set<std::string> wanted;
  for (const OperatorModel& model : operators) {
    wanted.insert(model.inputs.begin(), model.inputs.end());
  }
  exec::CompileOptions options;
  options.taps.assign(wanted.begin(), wanted.end());
  const exec::Program program = exec::Program::compile(quantized, options);
  Codes codes;
  (void)program.run(images, [&](std::string_view name, const Tensor& value) {
    if (wanted.contains(std::string(name))) {
      codes.emplace(name, value.contiguous(at::MemoryFormat::Contiguous).clone());
    }
  });
  return codes;
}

void compare(OperatorDifference& result, const Tensor& expected, const Tensor& actual) {
  if (expected.sizes() != actual.sizes()) {
    result.failure = "the output has another shape than in the simulation";
    return;
  }
  const Tensor steps = (expected.to(at::kLong) - actual.to(at::kLong)).abs();
  result.elements = steps.numel();
  result.different = (steps != 0).sum().item<std::int64_t>();
  result.worst_step = steps.numel() == 0 ? 0 : steps.max().item<std::int64_t>();
}

/// One operator, with its simulated output.
struct Case {
  const OperatorModel& model;
  std::string bytes;
  std::vector<Tensor> inputs;
  Tensor expected;
};

Case make_case(const OperatorModel& model, const Codes& codes) {
  const auto opset = model.graph.opsets.find("");
  const onnx::EncodeOptions as_file = opset == model.graph.opsets.end()
                                          ? onnx::EncodeOptions{}
                                          : onnx::EncodeOptions{.opset = opset->second};
  Case made{
      .model = model, .bytes = onnx::encode(model.graph, as_file), .inputs = {}, .expected = {}};
  for (const std::string& name : model.inputs) made.inputs.push_back(codes.at(name));
  made.expected = exec::Program::compile(model.graph, {}).run(made.inputs).front();
  return made;
}

OperatorDifference check_one(const Case& subject, const std::string& engine,
                             const OperatorCheckRequest& request) {
  OperatorDifference result{.engine = engine, .name = subject.model.name, .op = subject.model.op};
  try {
    const auto loaded = request.open(engine).load(subject.bytes, {.threads = 1});
    const std::vector<Tensor> outputs = loaded->run(subject.inputs);
    compare(result, subject.expected, outputs.front());
  } catch (const base::UserError& error) {
    result.failure = error.what();
  } catch (const base::UnsupportedError& error) {
    result.failure = error.what();
  }
  return result;
}

}  // namespace

std::vector<OperatorDifference> check_operators(const OperatorCheckRequest& request) {
  const ir::Graph quantized = onnx::decode(request.quantized_model, {.name = "the INT8 file"});
  const std::vector<OperatorModel> operators = cut_operators(quantized);
  const Codes codes = compute_codes(quantized, operators, request.images);
  const std::size_t engines = request.engines.size();
  std::vector<OperatorDifference> results(operators.size() * engines);
  tensor::for_each_index(0, operators.size(), request.threads, [&](std::size_t index) {
    const Case subject = make_case(operators[index], codes);
    for (std::size_t engine = 0; engine < engines; ++engine) {
      results[index * engines + engine] = check_one(subject, request.engines[engine], request);
    }
  });
  const auto place = [&](const OperatorDifference& result) {
    return std::ranges::find(request.engines, result.engine) - request.engines.begin();
  };
  std::ranges::stable_sort(results, [&](const auto& left, const auto& right) {
    return std::tuple(place(left), left.failure.empty(), -left.worst_step, -left.different) <
           std::tuple(place(right), right.failure.empty(), -right.worst_step, -right.different);
  });
  return results;
}

}  // namespace espalier::deploy
