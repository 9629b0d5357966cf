#include "tests/integration/node_case.h"

#include <algorithm>
#include <exception>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "espalier/base/file.h"
#include "espalier/base/name_match.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/tensor_file.h"
#include "tests/kit/tensors.h"

namespace espalier::kit {
namespace {

namespace fs = std::filesystem;

/// The tensors KIND_0.pb, KIND_1.pb... of a data set. The older test data holds bfloat16 values as
/// uint16; the graph's values say which those are.
std::vector<Tensor> read_tensors(const fs::path& folder, const std::string& kind,
                                 const std::vector<ir::Value*>& values) {
  std::vector<Tensor> tensors;
  for (std::size_t index = 0;; ++index) {
    const fs::path file = folder / fmt::format("{}_{}.pb", kind, index);
    if (!fs::exists(file)) return tensors;
    Tensor tensor = onnx::decode_tensor(base::read_file(file), file.filename().string());
    const bool bits = tensor.scalar_type() == at::kUInt16 && index < values.size() &&
                      values[index]->type().dtype == tensor::DType::BFloat16;
    tensors.push_back(bits ? tensor.view(at::kBFloat16) : tensor);
  }
}

/// Float64 models are computed in float64, all others in float32.
tensor::DType choose_dtype(const ir::Graph& graph) {
  bool wide = false;
  for (const auto* values : {&graph.inputs(), &graph.outputs()}) {
    for (const ir::Value* value : *values) {
      wide = wide || value->type().dtype == tensor::DType::Float64;
    }
  }
  return wide ? tensor::DType::Float64 : tensor::DType::Float32;
}

/// What rounding after every operator may make of a value.
double rounding_of(at::ScalarType type) {
  if (type == at::kBFloat16) return 2.0 / 256;
  return type == at::kHalf ? 2.0 / 2048 : 0;
}

std::string compare(const Tensor& actual, const Tensor& expected) {
  if (!actual.defined()) return "no tensor";
  if (expected.is_floating_point()) {
    if (!actual.is_floating_point()) return "not floating";
    const double rounding = rounding_of(expected.scalar_type());
    return difference(actual, expected, {.absolute = 1e-7 + rounding, .relative = 1e-3});
  }
  if (actual.scalar_type() != expected.scalar_type()) {
    return fmt::format("type {}, expected {}", c10::toString(actual.scalar_type()),
                       c10::toString(expected.scalar_type()));
  }
  return difference(actual, expected, {.absolute = 0, .relative = 0});
}

std::string run_data_set(const exec::Program& program, const ir::Graph& graph,
                         const fs::path& folder) {
  const std::vector<Tensor> inputs = read_tensors(folder, "input", graph.inputs());
  const std::vector<Tensor> expected = read_tensors(folder, "output", graph.outputs());
  const std::vector<Tensor> actual = program.run(inputs);
  if (actual.size() != expected.size()) {
    return fmt::format("{} outputs, expected {}", actual.size(), expected.size());
  }
  for (std::size_t index = 0; index < actual.size(); ++index) {
    const std::string text = compare(actual[index], expected[index]);
    if (!text.empty()) return fmt::format("output {}: {}", index, text);
  }
  return {};
}

}  // namespace

std::vector<fs::path> find_node_cases(const fs::path& root) {
  std::vector<fs::path> cases;
  if (!fs::is_directory(root)) return cases;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (fs::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

std::string run_node_case(const fs::path& folder) {
  try {
    const ir::Graph graph = onnx::load(folder / "model.onnx");
    const exec::Program program = exec::Program::compile(graph, {.dtype = choose_dtype(graph)});
    for (std::size_t set = 0;; ++set) {
      const fs::path data = folder / fmt::format("test_data_set_{}", set);
      if (!fs::exists(data)) return set == 0 ? "no data" : "";
      const std::string text = run_data_set(program, graph, data);
      if (!text.empty()) return text;
    }
  } catch (const std::exception& error) {
    return error.what();
  }
}

ExpectedFailures::ExpectedFailures(const fs::path& file, const std::string& collection) {
  std::istringstream text(base::read_file(file));
  std::string section;
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      section = line.substr(1, line.find(']') - 1);
    } else if (section == collection) {
      const std::size_t space = line.find(' ');
      reasons_[line.substr(0, space)] = space == std::string::npos ? "" : line.substr(space + 1);
    }
  }
}

std::string ExpectedFailures::reason(const std::string& name) const {
  for (const auto& [pattern, text] : reasons_) {
    if (base::matches_glob(pattern, name)) return text;
  }
  return {};
}

std::vector<std::string> ExpectedFailures::stale(const std::vector<fs::path>& cases) const {
  std::vector<std::string> unused;
  for (const auto& [pattern, text] : reasons_) {
    const bool used = std::any_of(cases.begin(), cases.end(), [&](const fs::path& path) {
      return base::matches_glob(pattern, path.filename().string());
    });
    if (!used) unused.push_back(pattern);
  }
  return unused;
}

}  // namespace espalier::kit
