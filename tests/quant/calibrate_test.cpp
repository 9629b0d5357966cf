#include "espalier/quant/calibrate.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/error.h"
#include "espalier/exec/program.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::graph_of;
using quant_test::source_of;

constexpr std::string_view kCalibratedText =
    "g (float[N,3,8,8] x, float[8,3,3,3] w, float[8] b, float[4,8] v) => (float[N,4] y)"
    " { [conv] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] r = Relu(a)"
    "   [pool] p = GlobalAveragePool(r) [flat] f = Flatten(p) [gemm] y = Gemm<transB=1>(f, v) }";

const std::vector<std::string> kValues{"x", "r", "f"};

Tensor images(std::int64_t samples) {
  return kit::random_tensor({samples, 3, 8, 8}, 5, {.normal = true});
}

Statistics collect_from(const ir::Graph& graph, const Tensor& data, std::int64_t batch,
                        const CalibrationOptions& options) {
  return collect(graph, kValues, source_of({data}, batch), options);
}

TEST(Calibrate, GivesTheSameBytesForEveryNumberOfThreads) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const Tensor data = images(21);
  const std::string bytes =
      to_bytes(collect_from(graph, data, 7, {.micro_batch = 4, .threads = 1}));
  for (const int threads : {2, 3, 5, 16}) {
    EXPECT_EQ(to_bytes(collect_from(graph, data, 7, {.micro_batch = 4, .threads = threads})), bytes)
        << threads;
  }
}

TEST(Calibrate, DoesNotDependOnTheBatchesOfTheSource) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const Tensor data = images(21);
  const Statistics once = collect_from(graph, data, 21, {.micro_batch = 4});
  EXPECT_EQ(collect_from(graph, data, 1, {.micro_batch = 4}), once);
  EXPECT_EQ(collect_from(graph, data, 5, {.micro_batch = 4}), once);
}

TEST(Calibrate, FindsWhatTheProgramComputes) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const Tensor data = images(6);
  const Statistics statistics = collect_from(graph, data, 6, {.micro_batch = 6});
  EXPECT_EQ(statistics.samples, 6U);
  EXPECT_EQ(statistics.micro_batch, 6U);
  const auto program = exec::Program::compile(graph, {.taps = kValues});
  std::map<std::string, Tensor> tapped;
  const std::vector<Tensor> inputs{data};
  (void)program.run(inputs, [&](std::string_view name, const Tensor& tensor) {
    tapped[std::string(name)] = tensor.contiguous();
  });
  for (const std::string& name : kValues) {
    SCOPED_TRACE(name);
    const Tensor& values = tapped.at(name);
    const ValueStatistics& found = statistics.values.at(name);
    EXPECT_EQ(found.histogram.min(), values.min().item<float>());
    EXPECT_EQ(found.histogram.max(), values.max().item<float>());
    EXPECT_EQ(found.histogram.finite(), static_cast<std::uint64_t>(values.numel()));
    EXPECT_EQ(found.samples, 6U);
    const Tensor rows = values.reshape({6, -1}).to(at::kDouble);
    EXPECT_NEAR(found.sum_of_maxima, rows.amax(1).sum().item<double>(), 1e-6);
    EXPECT_NEAR(found.sum_of_minima, rows.amin(1).sum().item<double>(), 1e-6);
    EXPECT_NEAR(found.sum_of_magnitudes, rows.abs().amax(1).sum().item<double>(), 1e-6);
  }
}

TEST(Calibrate, CollectsMomentsOfTheInputsOfLayers) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const Tensor data = images(9);
  const Statistics statistics = collect_from(graph, data, 9, {.micro_batch = 4});
  EXPECT_TRUE(statistics.channels.contains("x"));
  EXPECT_TRUE(statistics.channels.contains("f"));
  EXPECT_FALSE(statistics.channels.contains("r"));
  const Tensor channels = data.to(at::kDouble).transpose(0, 1).reshape({3, -1});
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    const auto index = static_cast<std::size_t>(channel);
    EXPECT_NEAR(statistics.channels.at("x").mean[index], channels[channel].mean().item<double>(),
                1e-6);
    EXPECT_NEAR(statistics.channels.at("x").mean_square[index],
                channels[channel].square().mean().item<double>(), 1e-6);
  }
  EXPECT_EQ(statistics.channels.at("f").mean.size(), 8U);
}

TEST(Calibrate, LeavesMomentsOutOnRequest) {
  const ir::Graph graph = graph_of(kCalibratedText);
  EXPECT_TRUE(collect_from(graph, images(3), 3, {.channel_moments = false}).channels.empty());
}

TEST(Calibrate, StopsAtTheNumberOfSamples) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const Tensor data = images(20);
  const Statistics first = collect_from(graph, data, 3, {.samples = 10, .micro_batch = 4});
  EXPECT_EQ(first.samples, 10U);
  EXPECT_EQ(first, collect_from(graph, data.narrow(0, 0, 10), 10, {.micro_batch = 4}));
}

TEST(Calibrate, TellsItsProgress) {
  const ir::Graph graph = graph_of(kCalibratedText);
  std::vector<std::size_t> done;
  (void)collect_from(graph, images(10), 10,
                     {.micro_batch = 4, .progress = [&](std::size_t n) { done.push_back(n); }});
  EXPECT_THAT(done, testing::ElementsAre(4, 8, 10));
}

TEST(Calibrate, NamesTheValueThatIsNotFinite) {
  const ir::Graph graph = graph_of(kCalibratedText);
  Tensor data = images(4);
  data[2][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  const std::string text =
      kit::expect_user_error([&] { (void)collect_from(graph, data, 4, {}); }, "value 'x'");
  EXPECT_THAT(text, testing::HasSubstr("1 NaN and 0 infinities among 768 values"));
}

TEST(Calibrate, RefusesWhatItCannotSee) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const auto refused = [&](const std::vector<std::string>& values, std::string_view text) {
    kit::expect_user_error([&] { (void)collect(graph, values, source_of({images(2)}, 2), {}); },
                           text);
  };
  refused({"nowhere"}, "'nowhere': got no value of that name");
  refused({"w"}, "'w': got a constant");
  const BatchSource empty = [] { return std::vector<Tensor>{}; };
  kit::expect_user_error([&] { (void)collect(graph, kValues, empty, {}); }, "got no samples");
}

TEST(Calibrate, PassesOnWhatTheSourceThrows) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const BatchSource broken = []() -> std::vector<Tensor> {
    throw base::UserError("the image 'a.jpg' is damaged");
  };
  kit::expect_user_error([&] { (void)collect(graph, kValues, broken, {.threads = 3}); },
                         "the image 'a.jpg' is damaged");
}

TEST(Calibrate, MergesDisjointSamples) {
  const ir::Graph graph = graph_of(kCalibratedText);
  const Tensor data = images(12);
  const Statistics all = collect_from(graph, data, 12, {.micro_batch = 4});
  const Statistics first = collect_from(graph, data.narrow(0, 0, 8), 8, {.micro_batch = 4});
  const Statistics second = collect_from(graph, data.narrow(0, 8, 4), 4, {.micro_batch = 4});
  const Statistics merged = merge(first, second);
  EXPECT_EQ(merged.samples, all.samples);
  for (const std::string& name : kValues) {
    EXPECT_EQ(merged.values.at(name).histogram, all.values.at(name).histogram) << name;
  }
  for (std::size_t channel = 0; channel < 3; ++channel) {
    EXPECT_NEAR(merged.channels.at("x").mean[channel], all.channels.at("x").mean[channel], 1e-9);
  }
  Statistics other = second;
  other.model_id = "another";
  kit::expect_user_error([&] { (void)merge(first, other); }, "different models");
}

}  // namespace
}  // namespace espalier::quant
