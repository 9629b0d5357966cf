#include "espalier/exec/program.h"

#include <limits>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/exec/nets.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

using kit::IsCloseTo;
using kit::Tolerance;
using tensor::DType;

Tensor run_once(const Program& program, const Tensor& input) {
  return program.run(std::vector<Tensor>{input}).at(0);
}

Tensor run_with(const CompileOptions& options, const Tensor& input) {
  return run_once(Program::compile(kit::residual_net(), options), input);
}

Tensor reference(const Tensor& input) {
  return run_with({.dtype = DType::Float64, .fuse = false}, input);
}

TEST(ProgramTest, FusedEqualsOneStepANode) {
  const Tensor input = kit::images(3);
  const Tensor expected = reference(input);
  EXPECT_EQ(expected.scalar_type(), at::kDouble);
  const Tolerance close{.absolute = 1e-4, .relative = 1e-4};
  EXPECT_THAT(run_with({}, input), IsCloseTo(expected, close));
  EXPECT_THAT(run_with({.fuse = false}, input), IsCloseTo(expected, close));
  EXPECT_THAT(run_with({.channels_last = false}, input), IsCloseTo(expected, close));
  EXPECT_THAT(run_with({.dtype = DType::Float64}, input),
              IsCloseTo(expected, Tolerance{.absolute = 1e-11, .relative = 1e-11}));
}

TEST(ProgramTest, ComputesInBFloat16) {
  const Tensor input = kit::images(2);
  const Tensor result = run_with({.dtype = DType::BFloat16}, input);
  EXPECT_EQ(result.scalar_type(), at::kBFloat16);
  const Tensor expected = reference(input);
  const double scale = expected.abs().max().item<double>();
  EXPECT_THAT(result, IsCloseTo(expected, Tolerance{.absolute = 0.05 * scale, .relative = 0}));
}

TEST(ProgramTest, FusesConvolutionRegions) {
  const std::string text = Program::compile(kit::residual_net(), {}).describe();
  EXPECT_THAT(text, testing::HasSubstr("conv1 + bn1 + relu1: relu1_out <- x"));
  EXPECT_THAT(text, testing::HasSubstr("conv2 + bn2 + clip2"));
  EXPECT_THAT(text, testing::HasSubstr("conv3 + bn3 + add3 + relu3: relu3_out <- clip2_out, "
                                       "relu1_out; frees clip2_out, relu1_out"));
}

TEST(ProgramTest, NanInAWeightStaysVisibleBehindAFusedActivation) {
  ir::Graph graph = kit::residual_net();
  graph.find_value(graph.find_node("conv3")->input(1)->name())->constant()[0][0][0][0] =
      std::numeric_limits<float>::quiet_NaN();
  const Tensor result = run_once(Program::compile(graph, {}), kit::images(2));
  EXPECT_TRUE(result.isnan().any().item<bool>());
}

TEST(ProgramTest, TapsSeeUnfusedValues) {
  const Tensor input = kit::images(2);
  const std::vector<std::string> names{"x", "conv1_out", "bn3_out", "add3_out", "y"};
  const auto collect = [&](bool fuse, DType dtype) {
    TensorMap seen;
    const Program program =
        Program::compile(kit::residual_net(), {.dtype = dtype, .fuse = fuse, .taps = names});
    (void)program.run(std::vector<Tensor>{input}, [&](std::string_view name, const Tensor& value) {
      EXPECT_TRUE(seen.emplace(name, value.clone()).second) << name;
    });
    return seen;
  };
  const TensorMap fused = collect(true, DType::Float32);
  const TensorMap plain = collect(false, DType::Float64);
  ASSERT_EQ(fused.size(), names.size());
  for (const auto& [name, value] : fused) {
    EXPECT_THAT(value, IsCloseTo(plain.at(name), Tolerance{.absolute = 1e-4, .relative = 1e-4}))
        << name;
  }
}

TEST(ProgramTest, RunRangeEqualsFullRun) {
  const Tensor input = kit::images(2);
  const Program program = Program::compile(kit::residual_net(), {.taps = {"relu1_out"}});
  const Tensor whole = run_once(program, input);
  const TensorMap prefix = program.run({{"x", input}}, std::vector<std::string>{"relu1_out"});
  ASSERT_EQ(prefix.size(), 1U);
  const Tensor cached = prefix.at("relu1_out").clone();
  const TensorMap suffix = program.run(prefix, std::vector<std::string>{"y"});
  EXPECT_THAT(suffix.at("y"), kit::HasSameBits(whole));
  EXPECT_THAT(prefix.at("relu1_out"), kit::HasSameBits(cached));
}

TEST(ProgramTest, TrainingInEvaluationEqualsInference) {
  const Tensor input = kit::images(4);
  Program program =
      Program::compile(kit::residual_net(), {.mode = Mode::Training, .dtype = DType::Float64});
  program.set_training(false);
  EXPECT_THAT(run_once(program, input).detach(),
              IsCloseTo(reference(input), Tolerance{.absolute = 1e-11, .relative = 1e-11}));
}

TEST(ProgramTest, OwnsParametersAndBuffers) {
  Program program = Program::compile(kit::residual_net(), {.mode = Mode::Training});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : program.parameters()) {
    names.push_back(name);
    EXPECT_TRUE(tensor.requires_grad() && tensor.is_leaf()) << name;
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre(
                         "conv1.weight", "conv2.weight", "conv3.weight", "bn1.scale", "bn1.bias",
                         "bn2.scale", "bn2.bias", "bn3.scale", "bn3.bias", "fc.weight", "fc.bias"));
  EXPECT_EQ(program.buffers().size(), 6U);
  EXPECT_FALSE(program.buffers().at("bn1.mean").requires_grad());
}

/// Loss of a program: a fixed weighted sum of its outputs.
Tensor loss_of(const Program& program, const Tensor& input) {
  const Tensor output = run_once(program, input);
  const Tensor weights = kit::random_tensor(output.sizes().vec(), 9, {.type = at::kDouble});
  return at::sum(output * weights);
}

/// |analytic - numeric| over some elements of every parameter, by central differences.
void expect_gradients(const Program& program, const Tensor& input) {
  loss_of(program, input).backward();
  constexpr double kStep = 1e-6;
  for (const auto& [name, parameter] : program.parameters()) {
    const Tensor gradient = parameter.grad();
    ASSERT_TRUE(gradient.defined()) << name;
    Tensor flat = parameter.detach().view({-1});
    for (std::int64_t index = 0; index < flat.numel(); index += 1 + flat.numel() / 5) {
      const double old = flat[index].item<double>();
      flat[index].fill_(old + kStep);
      const double above = loss_of(program, input).item<double>();
      flat[index].fill_(old - kStep);
      const double below = loss_of(program, input).item<double>();
      flat[index].fill_(old);
      EXPECT_NEAR(gradient.reshape({-1})[index].item<double>(), (above - below) / (2 * kStep), 2e-5)
          << name << "[" << index << "]";
    }
  }
}

TEST(ProgramTest, GradientsAgreeWithFiniteDifferences) {
  const CompileOptions options{
      .mode = Mode::Training, .dtype = DType::Float64, .channels_last = false};
  Program program = Program::compile(kit::residual_net(), options);
  expect_gradients(program, kit::images(4));
}

TEST(ProgramTest, FrozenStatisticsHaveGradientsToo) {
  const CompileOptions options{
      .mode = Mode::Training, .dtype = DType::Float64, .channels_last = false};
  Program program = Program::compile(kit::residual_net(), options);
  program.set_training(false);
  expect_gradients(program, kit::images(4));
}

TEST(ProgramTest, SeveralThreadsGiveTheBitsOfOne) {
  const Program program = Program::compile(kit::residual_net(), {});
  constexpr std::size_t kThreads = 4;
  std::vector<Tensor> inputs;
  for (std::size_t index = 0; index < kThreads; ++index) inputs.push_back(kit::images(8, index));
  const int threads = at::get_num_threads();
  std::vector<Tensor> expected;
  at::set_num_threads(1);
  for (const Tensor& input : inputs) expected.push_back(run_once(program, input));
  at::set_num_threads(threads);
  std::vector<Tensor> results(kThreads);
  std::vector<std::thread> workers;
  for (std::size_t index = 0; index < kThreads; ++index) {
    workers.emplace_back([&, index] {
      at::set_num_threads(1);
      for (int repeat = 0; repeat < 5; ++repeat) results[index] = run_once(program, inputs[index]);
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (std::size_t index = 0; index < kThreads; ++index) {
    EXPECT_THAT(results[index], kit::HasSameBits(expected[index]));
  }
}

TEST(ProgramTest, WritesBackAndLoads) {
  ir::Graph graph = kit::residual_net();
  Program program = Program::compile(graph, {.mode = Mode::Training});
  const Tensor fresh = kit::random_tensor({8, 3, 3, 3}, 77);
  program.load({{"conv1.weight", fresh}, {"bn1.mean", at::zeros({8})}});
  program.write_back(graph);
  EXPECT_THAT(graph.find_value("conv1.weight")->constant(), kit::HasSameBits(fresh));
  EXPECT_THAT(graph.find_value("bn1.mean")->constant(), kit::HasSameBits(at::zeros({8})));
  EXPECT_TRUE(graph.find_value("conv1.weight")->constant().is_contiguous());
  kit::expect_user_error(
      [&] {
        program.load({{"conv1.weigth", fresh}});
      },
      "no parameter has its name: got 'conv1.weigth'");
  kit::expect_user_error(
      [&] {
        program.load({{"fc.bias", fresh}});
      },
      "'fc.bias': got [8, 3, 3, 3], expected [5]");
}

TEST(ProgramTest, InputsAreNeverWrittenOver) {
  const Program program = Program::compile(kit::residual_net(), {});
  Tensor input = kit::images(2).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor copy = input.clone();
  (void)run_once(program, input);
  EXPECT_THAT(input, kit::HasSameBits(copy));
}

TEST(ProgramTest, RefusesWrongInputs) {
  const Program program = Program::compile(kit::residual_net(), {});
  kit::expect_user_error([&] { (void)program.run(std::vector<Tensor>{}); },
                         "cannot run the model: got 0 inputs, expected 1 (x)");
  kit::expect_user_error(
      [&] {
        (void)run_once(program, at::zeros({1, 4, 12, 12}));
      },
      "input 'x': got float32[1, 4, 12, 12], expected float32[N, 3, 12, 12]");
  kit::expect_user_error(
      [&] {
        (void)run_once(program, at::zeros({1, 3, 12, 12}, at::kLong));
      },
      "input 'x': got int64[1, 3, 12, 12]");
  kit::expect_user_error(
      [&] {
        (void)program.run({{"relu1_out", kit::images(1)}}, std::vector<std::string>{"y"});
      },
      "the value is not reachable: got 'relu1_out'");
  kit::expect_user_error([&] { (void)program.run(TensorMap{}, std::vector<std::string>{"y"}); },
                         "no 'x'");
}

TEST(ProgramTest, RefusesUnknownTapsAndOperators) {
  ir::Graph graph = kit::residual_net();
  kit::expect_user_error([&] { (void)Program::compile(graph, {.taps = {"relu1_ou"}}); },
                         "cannot tap a value that the model does not have: got 'relu1_ou'");
  graph.set_op(*graph.find_node("relu1"), "Relux", "acme");
  graph.set_op(*graph.find_node("pool"), "LSTM");
  kit::expect_unsupported([&] { (void)Program::compile(graph, {}); },
                          "node 'relu1' (Relux) of domain 'acme', node 'pool' (LSTM)");
  kit::expect_user_error(
      [&] { (void)Program::compile(kit::residual_net(), {.dtype = DType::Int8}); },
      "dtype: got int8, expected float32, float64 or bfloat16");
}

}  // namespace
}  // namespace espalier::exec
