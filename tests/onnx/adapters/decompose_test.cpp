#include "espalier/onnx/adapters/decompose.h"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "tests/kit/tensors.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

/// Writes the model at an older opset, runs that, and gives its output.
Tensor run_lowered(std::string_view text, std::int64_t from, std::int64_t to, const Tensor& input,
                   std::string_view gone) {
  const ir::Graph graph = decode(encode(read(text, from), {.opset = to}));
  for (const ir::Node* node : graph.nodes()) EXPECT_NE(node->op(), gone);
  return exec::Program::compile(graph, {}).run(std::vector<Tensor>{input}).front();
}

void expect_function(std::string_view call, std::int64_t from, std::int64_t to,
                     std::string_view gone, double (*function)(double)) {
  const std::string text =
      fmt::format("agraph (float[64] x) => (float[64] y) {{ y = {} (x) }}", call);
  const Tensor input = kit::random_tensor({64}, 11, {.low = -5, .high = 5});
  std::vector<float> expected;
  for (const double x : kit::values_of(input)) expected.push_back(static_cast<float>(function(x)));
  EXPECT_THAT(run_lowered(text, from, to, input, gone), kit::IsCloseTo(kit::tensor_of(expected)));
}

TEST(Decompose, Gelu) {
  expect_function("Gelu", 20, 17, "Gelu",
                  [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); });
  expect_function("Gelu <approximate = \"tanh\">", 20, 17, "Gelu", [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  });
}

TEST(Decompose, Mish) {
  expect_function("Mish", 18, 17, "Mish",
                  [](double x) { return x * std::tanh(std::log1p(std::exp(x))); });
}

TEST(Decompose, HardSwish) {
  expect_function("HardSwish", 14, 13, "HardSwish",
                  [](double x) { return x * std::fmax(0, std::fmin(1, x / 6 + 0.5)); });
}

/// Group normalization of [N, C, L] written out: scale and bias of a channel by `group_of`.
std::vector<float> group_norm(const std::vector<double>& x, const std::vector<double>& scale,
                              const std::vector<double>& bias, std::size_t groups) {
  const std::size_t channels = 4;
  const std::size_t length = 3;
  const std::size_t size = channels / groups * length;
  std::vector<float> result(x.size());
  for (std::size_t start = 0; start < x.size(); start += size) {
    double mean = 0;
    double square = 0;
    for (std::size_t index = 0; index < size; ++index) mean += x[start + index];
    mean /= static_cast<double>(size);
    for (std::size_t index = 0; index < size; ++index) {
      square += (x[start + index] - mean) * (x[start + index] - mean);
    }
    const double deviation = std::sqrt(square / static_cast<double>(size) + 1e-5);
    for (std::size_t index = 0; index < size; ++index) {
      const std::size_t channel = (start + index) / length % channels;
      const std::size_t place = channel * scale.size() / channels;
      result[start + index] =
          static_cast<float>((x[start + index] - mean) / deviation * scale[place] + bias[place]);
    }
  }
  return result;
}

TEST(Decompose, GroupNormalizationByChannels) {
  const Tensor input = kit::random_tensor({2, 4, 3}, 5);
  const Tensor output = run_lowered(R"(agraph (float[N, 4, 3] x) => (float[N, 4, 3] y)
    <float[4] s = {1, 2, 3, 4}, float[4] b = {0, 1, 0, -1}> {
    y = GroupNormalization <num_groups = 2> (x, s, b) })",
                                    21, 17, input, "GroupNormalization");
  const auto expected = group_norm(kit::values_of(input), {1, 2, 3, 4}, {0, 1, 0, -1}, 2);
  EXPECT_THAT(output, kit::IsCloseTo(kit::tensor_of(expected, {2, 4, 3}),
                                     kit::Tolerance{.absolute = 1e-5}));
}

TEST(Decompose, GroupNormalizationByGroups) {
  const Tensor input = kit::random_tensor({2, 4, 3}, 6);
  const Tensor output = run_lowered(R"(agraph (float[N, 4, 3] x) => (float[N, 4, 3] y)
    <float[2] s = {1, 2}, float[2] b = {0, 1}> {
    y = GroupNormalization <num_groups = 2> (x, s, b) })",
                                    18, 17, input, "GroupNormalization");
  const auto expected = group_norm(kit::values_of(input), {1, 2}, {0, 1}, 2);
  EXPECT_THAT(output, kit::IsCloseTo(kit::tensor_of(expected, {2, 4, 3}),
                                     kit::Tolerance{.absolute = 1e-5}));
}

}  // namespace
}  // namespace espalier::onnx
