#include "espalier/train/reestimate_norms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

using Channels = std::vector<std::vector<double>>;  ///< [channel][image and position]

constexpr std::string_view kTwoNorms =
    "g (float[N,2,2,2] x, float[3,2,1,1] w1, float[3] g1, float[3] b1, float[3] m1, float[3] v1,"
    " float[2,3,1,1] w2, float[2] g2, float[2] b2, float[2] m2, float[2] v2)"
    " => (float[N,2,2,2] y)"
    " { a = Conv(x, w1) n = BatchNormalization<epsilon=0.01>(a, g1, b1, m1, v1) r = Relu(n)"
    "   c = Conv(r, w2) y = BatchNormalization<epsilon=0.01>(c, g2, b2, m2, v2) }";

/// The graph with these inputs as random initializers.
ir::Graph with_parameters(std::string_view text) {
  ir::Graph graph = onnx::parse(text);
  const std::vector<ir::Value*> inputs = graph.inputs();
  for (std::size_t index = 1; index < inputs.size(); ++index) {
    ir::Value& input = *inputs[index];
    const std::string name = input.name();
    const std::vector<std::int64_t> sizes = tensor::known_sizes(*input.type().shape).value();
    const bool positive = name.starts_with("v");
    Tensor drawn = kit::random_tensor(sizes, index, {.low = positive ? 0.5 : -1.0});
    graph.rename(input, name + "_input");
    graph.replace_all_uses(input, graph.add_initializer(name, drawn));
    graph.erase(input);
  }
  return graph;
}

/// Batches of these sizes, and nothing after them.
NextInputs batches_of(const std::vector<Tensor>& batches) {
  auto position = std::make_shared<std::size_t>(0);
  return [batches, position]() -> std::vector<Tensor> {
    if (*position == batches.size()) return {};
    return {batches[(*position)++]};
  };
}

Tensor constant_of(const ir::Graph& graph, std::string_view name) {
  return graph.find_value(name)->constant();
}

/// [N,C,H,W] by channel.
Channels by_channel(const Tensor& tensor) {
  const std::vector<double> values = kit::values_of(tensor);
  const auto channels = static_cast<std::size_t>(tensor.size(1));
  const auto positions = static_cast<std::size_t>(tensor.size(2) * tensor.size(3));
  Channels result(channels);
  for (std::size_t index = 0; index < values.size(); ++index) {
    result[index / positions % channels].push_back(values[index]);
  }
  return result;
}

Channels mix(const Channels& input, const Tensor& weight) {
  const std::vector<double> w = kit::values_of(weight);
  Channels result(w.size() / input.size(), std::vector<double>(input[0].size(), 0.0));
  for (std::size_t out = 0; out < result.size(); ++out) {
    for (std::size_t in = 0; in < input.size(); ++in) {
      for (std::size_t at = 0; at < input[in].size(); ++at) {
        result[out][at] += w[out * input.size() + in] * input[in][at];
      }
    }
  }
  return result;
}

std::array<double, 2> mean_and_variance(const std::vector<double>& numbers) {
  double mean = 0;
  for (const double number : numbers) mean += number / static_cast<double>(numbers.size());
  double variance = 0;
  for (const double number : numbers) {
    variance += (number - mean) * (number - mean) / static_cast<double>(numbers.size());
  }
  return {mean, variance};
}

/// What the second convolution of kTwoNorms gives for one batch.
Channels second_input(const ir::Graph& graph, const Tensor& batch) {
  Channels values = mix(by_channel(batch), constant_of(graph, "w1"));
  const std::vector<double> gamma = kit::values_of(constant_of(graph, "g1"));
  const std::vector<double> beta = kit::values_of(constant_of(graph, "b1"));
  for (std::size_t channel = 0; channel < values.size(); ++channel) {
    const auto [mean, variance] = mean_and_variance(values[channel]);
    for (double& value : values[channel]) {
      value = (value - mean) / std::sqrt(variance + 0.01) * gamma[channel] + beta[channel];
      value = std::max(value, 0.0);
    }
  }
  return mix(values, constant_of(graph, "w2"));
}

void append(Channels& all, const Channels& more) {
  all.resize(more.size());
  for (std::size_t channel = 0; channel < more.size(); ++channel) {
    all[channel].insert(all[channel].end(), more[channel].begin(), more[channel].end());
  }
}

void expect_statistics(const ir::Graph& graph, const Channels& expected, std::string_view mean_name,
                       std::string_view variance_name) {
  const std::vector<double> means = kit::values_of(constant_of(graph, mean_name));
  const std::vector<double> variances = kit::values_of(constant_of(graph, variance_name));
  ASSERT_EQ(means.size(), expected.size());
  for (std::size_t channel = 0; channel < expected.size(); ++channel) {
    const auto [mean, variance] = mean_and_variance(expected[channel]);
    EXPECT_NEAR(means[channel], mean, 1e-6) << mean_name << ' ' << channel;
    EXPECT_NEAR(variances[channel], variance, 1e-6) << variance_name << ' ' << channel;
  }
}

TEST(ReestimateNorms, EqualsAnIndependentCalculationOverUnequalBatches) {
  ir::Graph graph = with_parameters(kTwoNorms);
  const std::vector<Tensor> batches{kit::random_tensor({3, 2, 2, 2}, 50),
                                    kit::random_tensor({5, 2, 2, 2}, 51, {.low = 0.5}),
                                    kit::random_tensor({1, 2, 2, 2}, 52, {.low = -3})};
  const ReestimateResult result =
      reestimate_norms(graph, batches_of(batches), {.dtype = tensor::DType::Float64});
  EXPECT_EQ(result.norms, 2);
  EXPECT_EQ(result.images, 9);
  Channels first;
  Channels second;
  for (const Tensor& batch : batches) {
    append(first, mix(by_channel(batch), constant_of(graph, "w1")));
    append(second, second_input(graph, batch));
  }
  expect_statistics(graph, first, "m1", "v1");
  expect_statistics(graph, second, "m2", "v2");
}

TEST(ReestimateNorms, DoesNotDependOnTheOldStatistics) {
  const std::vector<Tensor> batches{kit::random_tensor({4, 2, 2, 2}, 1)};
  ir::Graph graph = with_parameters(kTwoNorms);
  ir::Graph other = graph.clone();
  other.set_constant(*other.find_value("m1"), kit::tensor_of({9, -9, 3}));
  other.set_constant(*other.find_value("v1"), kit::tensor_of({100, 0.01F, 7}));
  reestimate_norms(graph, batches_of(batches));
  reestimate_norms(other, batches_of(batches));
  for (const std::string_view name : {"m1", "v1", "m2", "v2"}) {
    EXPECT_THAT(constant_of(other, name), kit::HasSameBits(constant_of(graph, name))) << name;
  }
}

TEST(ReestimateNorms, FollowsChangedWeightsAndLeavesTheRestAlone) {
  const std::vector<Tensor> batches{kit::random_tensor({4, 2, 2, 2}, 1)};
  ir::Graph graph = with_parameters(kTwoNorms);
  reestimate_norms(graph, batches_of(batches));
  ir::Graph scaled = graph.clone();
  const Tensor weight = constant_of(graph, "w1");
  scaled.set_constant(*scaled.find_value("w1"), weight.mul(4.0));
  reestimate_norms(scaled, batches_of(batches));
  EXPECT_THAT(constant_of(scaled, "m1"), kit::IsCloseTo(constant_of(graph, "m1").mul(4.0)));
  EXPECT_THAT(constant_of(scaled, "v1"), kit::IsCloseTo(constant_of(graph, "v1").mul(16.0)));
  EXPECT_THAT(constant_of(scaled, "g1"), kit::HasSameBits(constant_of(graph, "g1")));
  EXPECT_EQ(scaled.find_value("y")->producer()->get_int("training_mode", 0), 0);
}

TEST(ReestimateNorms, PoolsTheInputsOfSharedStatistics) {
  ir::Graph graph = with_parameters(
      "g (float[N,2,2,2] x, float[2] g1, float[2] b1, float[2] m1, float[2] v1)"
      " => (float[N,2,2,2] y, float[N,2,2,2] z)"
      " { a = Exp(x) y = BatchNormalization(x, g1, b1, m1, v1)"
      "   z = BatchNormalization(a, g1, b1, m1, v1) }");
  const Tensor batch = kit::random_tensor({3, 2, 2, 2}, 8);
  EXPECT_EQ(reestimate_norms(graph, batches_of({batch})).norms, 2);
  Channels expected = by_channel(batch);
  append(expected, by_channel(batch.exp()));
  expect_statistics(graph, expected, "m1", "v1");
}

TEST(ReestimateNorms, AsksForNoImagesWithoutNormsAndStopsAtTheLimit) {
  ir::Graph plain = onnx::parse("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }");
  const ReestimateResult none = reestimate_norms(plain, [&]() -> std::vector<Tensor> {
    ADD_FAILURE() << "asked for images";
    return {};
  });
  EXPECT_EQ(none.norms, 0);
  EXPECT_EQ(count_norms(plain), 0);
  ir::Graph graph = with_parameters(kTwoNorms);
  EXPECT_EQ(count_norms(graph), 2);
  const Tensor batch = kit::random_tensor({2, 2, 2, 2}, 1);
  EXPECT_EQ(reestimate_norms(graph, batches_of({batch, batch, batch}), {.images = 3}).images, 4);
}

TEST(ReestimateNorms, RefusesWhatItCannotUseAndKeepsTheGraph) {
  ir::Graph graph = with_parameters(kTwoNorms);
  const Tensor before = constant_of(graph, "m1");
  kit::expect_user_error([&] { reestimate_norms(graph, batches_of({})); }, "there are no images");
  Tensor bad = kit::random_tensor({2, 2, 2, 2}, 1);
  bad.fill_(std::numeric_limits<float>::infinity());
  kit::expect_user_error([&] { reestimate_norms(graph, batches_of({bad})); },
                         "its input is not finite");
  EXPECT_THAT(constant_of(graph, "m1"), kit::HasSameBits(before));
  ir::Graph vector = with_parameters(
      "g (float[N,2] x, float[2] g1, float[2] b1, float[2] m1, float[2] v1) => (float[N,2] y)"
      " { y = BatchNormalization(x, g1, b1, m1, v1) }");
  kit::expect_user_error(
      [&] {
        reestimate_norms(vector, batches_of({kit::random_tensor({1, 2}, 1)}));
      },
      "a single number a channel");
  ir::Graph computed = onnx::parse(
      "g (float[N,2] x, float[2] m, float[2] v) => (float[N,2] y)"
      " { y = BatchNormalization(x, v, m, m, v) }");
  kit::expect_unsupported([&] { reestimate_norms(computed, batches_of({})); },
                          "a running mean that is computed");
}

}  // namespace
}  // namespace espalier::train
