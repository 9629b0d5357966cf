#include "espalier/exec/kernels/training_region.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

using kit::IsCloseTo;
using kit::Tolerance;

/// Two blocks of quantizer, convolution, BatchNormalization, activation, quantizer.
struct NetCase {
  std::string estimator;  ///< of activations; empty: no quantizers at all
  std::string activation = "Relu";
  std::int64_t group = 1;
  bool bias = false;
  std::int64_t channels = 6;
  std::string weights = {};  ///< estimator of weights, a scale a channel; empty: not quantized
};

class NetBuilder {
 public:
  explicit NetBuilder(const NetCase& row) : row_(row) {}

  ir::Graph build() {
    ir::Value* x = &graph_.add_input("x", {tensor::DType::Float32, std::nullopt});
    x = quantize("in", x, /*one_sided=*/false);
    x = block("a", x, 3, 1);
    x = block("b", x, row_.channels, row_.group);
    graph_.add_output(*x);
    return std::move(graph_);
  }

 private:
  ir::Value* constant(const std::string& name, const Tensor& tensor) {
    return &graph_.add_initializer(name, tensor);
  }

  ir::Value* node(ir::NodeSpec spec, const std::string& name) {
    spec.outputs = {name + "_out"};
    spec.name = name;
    return graph_.add_node(std::move(spec)).output();
  }

  ir::Value* quantize(const std::string& name, ir::Value* value, bool one_sided) {
    if (row_.estimator.empty()) return value;
    const std::int64_t top = 15;  // few levels: a hair of difference seldom changes a code
    ir::Attributes attributes{{"qmin", one_sided ? std::int64_t{0} : -top - 1}, {"qmax", top}};
    const float scale = 0.11F;
    std::vector<ir::Value*> inputs{value, constant(name + ".scale", at::full({}, scale)),
                                   constant(name + ".zero", at::zeros({}))};
    if (row_.estimator != "fixed") attributes["estimator"] = row_.estimator;
    if (row_.estimator == "pact") {
      inputs.push_back(constant(name + ".state", at::full({1}, scale * 15)));
    } else if (row_.estimator == "lsq_plus") {
      inputs.push_back(constant(name + ".state", at::zeros({1})));
    } else if (row_.estimator == "moving_average_abs_max") {
      inputs.push_back(constant(name + ".state", kit::tensor_of({scale * 15, 1})));
    } else if (row_.estimator == "moving_average_min_max") {
      inputs.push_back(constant(name + ".state", at::zeros({3})));
      attributes["symmetric"] = std::int64_t{1};
    }
    return node({.op = "FakeQuantize",
                 .inputs = inputs,
                 .attributes = attributes,
                 .domain = std::string(ir::kEspalierDomain)},
                name);
  }

  ir::Value* weight(const std::string& name, const ir::Ints& sizes) {
    ir::Value* value = constant(name + ".weight", kit::random_tensor(sizes, ++seed_));
    if (row_.weights.empty()) return value;
    const std::int64_t channels = sizes.front();
    ir::Attributes attributes{{"qmin", std::int64_t{-7}},
                              {"qmax", std::int64_t{7}},
                              {"axis", std::int64_t{0}},
                              {"role", std::string("weight")}};
    if (row_.weights != "fixed") attributes["estimator"] = row_.weights;
    return node({.op = "FakeQuantize",
                 .inputs = {value, constant(name + ".steps", at::full({channels}, 0.1F)),
                            constant(name + ".zeros", at::zeros({channels}))},
                 .attributes = attributes,
                 .domain = std::string(ir::kEspalierDomain)},
                name + "_weight");
  }

  ir::Value* block(const std::string& name, ir::Value* input, std::int64_t from,
                   std::int64_t group) {
    const std::int64_t channels = row_.channels;
    const kit::Draw positive{.low = 0.5, .high = 1.5};
    std::vector<ir::Value*> inputs{input, weight(name, {channels, from / group, 3, 3})};
    if (row_.bias) {
      inputs.push_back(constant(name + ".bias", kit::random_tensor({channels}, ++seed_)));
    }
    ir::Value* value = node({.op = "Conv",
                             .inputs = inputs,
                             .attributes = {{"pads", ir::Ints{1, 1, 1, 1}},
                                            {"strides", ir::Ints{2, 2}},
                                            {"group", group}}},
                            name + "_conv");
    value = node(
        {.op = "BatchNormalization",
         .inputs = {value,
                    constant(name + ".gamma", kit::random_tensor({channels}, ++seed_, positive)),
                    constant(name + ".beta", kit::random_tensor({channels}, ++seed_)),
                    constant(name + ".mean", kit::random_tensor({channels}, ++seed_)),
                    constant(name + ".var", kit::random_tensor({channels}, ++seed_, positive))}},
        name + "_bn");
    if (row_.activation == "Relu") value = node({.op = "Relu", .inputs = {value}}, name + "_act");
    if (row_.activation == "Clip") {
      value = node({.op = "Clip",
                    .inputs = {value, constant(name + ".low", at::full({}, -0.5)),
                               constant(name + ".high", at::full({}, 1.0))}},
                   name + "_act");
    }
    return quantize(name, value, row_.activation == "Relu");
  }

  NetCase row_;
  ir::Graph graph_;
  std::uint64_t seed_ = 40;
};

/// Everything one training step gives, by name.
TensorMap train_step(Program& program, bool frozen) {
  program.freeze_batch_norm(frozen);
  Tensor input = kit::random_tensor({5, 3, 11, 9}, 7, {.normal = true});
  TensorMap seen;
  const Tensor output = program.run(std::vector<Tensor>{input}).at(0);
  const Tensor weights = kit::random_tensor(output.sizes().vec(), 9);
  at::sum(output * weights).backward();
  seen["output"] = output.detach();
  for (const auto& [name, parameter] : program.parameters()) seen[name] = parameter.grad();
  for (const auto& [name, buffer] : program.buffers()) seen[name + " (buffer)"] = buffer;
  return seen;
}

TensorMap step_of(const NetCase& row, bool fuse, bool frozen = false) {
  Program program =
      Program::compile(NetBuilder(row).build(), {.mode = Mode::Training, .fuse = fuse});
  return train_step(program, frozen);
}

void expect_same_step(const NetCase& row, bool frozen) {
  SCOPED_TRACE(testing::Message() << row.estimator << " " << row.activation << " frozen "
                                  << frozen);
  const TensorMap fused = step_of(row, true, frozen);
  const TensorMap plain = step_of(row, false, frozen);
  ASSERT_EQ(fused.size(), plain.size());
  for (const auto& [name, expected] : plain) {
    ASSERT_EQ(fused.at(name).defined(), expected.defined()) << name;
    if (!expected.defined()) continue;
    const double size = expected.abs().max().item<double>();
    EXPECT_THAT(fused.at(name),
                IsCloseTo(expected, Tolerance{.absolute = 2e-5 * size + 1e-6, .relative = 1e-4}))
        << name;
  }
}

TEST(TrainingRegion, EqualsOneStepANode) {
  const std::vector<NetCase> rows{{.estimator = ""},
                                  {.estimator = "", .activation = "Clip", .bias = true},
                                  {.estimator = "", .activation = "", .channels = 17},
                                  {.estimator = "fixed"},
                                  {.estimator = "abs_max"},
                                  {.estimator = "moving_average_abs_max", .group = 2},
                                  {.estimator = "moving_average_min_max", .channels = 18},
                                  {.estimator = "pact", .activation = "Clip"},
                                  {.estimator = "lsq", .group = 6},
                                  {.estimator = "lsq", .activation = "", .bias = true},
                                  {.estimator = "lsq_plus", .activation = "Clip"},
                                  {.estimator = "", .weights = "fixed"},
                                  {.estimator = "lsq", .group = 2, .weights = "abs_max"},
                                  {.estimator = "pact", .weights = "lsq"}};
  for (const NetCase& row : rows) {
    expect_same_step(row, false);
    expect_same_step(row, true);
  }
}

TEST(TrainingRegion, GradientsOfTheFloatRegionAreThoseOfDouble) {
  const NetCase row{.estimator = ""};
  Program wide = Program::compile(NetBuilder(row).build(),
                                  {.mode = Mode::Training, .dtype = tensor::DType::Float64});
  const TensorMap expected = train_step(wide, false);
  const TensorMap actual = step_of(row, true);
  for (const auto& [name, tensor] : expected) {
    const double size = tensor.abs().max().item<double>();
    EXPECT_THAT(actual.at(name),
                IsCloseTo(tensor, Tolerance{.absolute = 1e-5 * size, .relative = 1e-4}))
        << name;
  }
}

TEST(TrainingRegion, IsOneStepAndPassesCodesOn) {
  const std::string text =
      Program::compile(NetBuilder({.estimator = "lsq"}).build(), {.mode = Mode::Training})
          .describe();
  EXPECT_THAT(text, testing::HasSubstr("a_conv + a_bn + a_act + a: a_out, a_out (codes), a_out "
                                       "(form) <- in_out,"));
  EXPECT_THAT(text, testing::HasSubstr("b_conv + b_bn + b_act + b: b_out <- a_out,"));
  EXPECT_THAT(text, testing::HasSubstr("a_out (codes), a_out (form)"));
}

TEST(TrainingRegion, QuantizesWeightsAgainInsteadOfKeepingThem) {
  const NetCase row{.estimator = "lsq", .weights = "abs_max"};
  Program program = Program::compile(NetBuilder(row).build(), {.mode = Mode::Training});
  EXPECT_THAT(program.describe(),
              testing::HasSubstr("a_weight_out, a_weight_out (source), a_weight_out (form)"));
  // Such a weight changed between forward and backward would give other gradients.
  const Tensor output =
      program.run(std::vector<Tensor>{kit::random_tensor({5, 3, 11, 9}, 7)}).at(0);
  {
    const c10::AutoGradMode no_gradients(false);
    for (auto& [name, parameter] : program.parameters()) {
      if (name == "b.weight") parameter.mul_(2);
    }
  }
  EXPECT_THROW(at::sum(output).backward(), std::exception);
}

/// A residual sum of two blocks, Relu, quantizer, and a block behind them.
ir::Graph residual_net(const std::string& estimator, bool seen_twice) {
  ir::Graph graph;
  const auto node = [&](ir::NodeSpec spec, const std::string& name) {
    spec.outputs = {name + "_out"};
    spec.name = name;
    return graph.add_node(std::move(spec)).output();
  };
  const auto conv = [&](const std::string& name, ir::Value* input, std::uint64_t seed) {
    ir::Value& weight =
        graph.add_initializer(name + ".weight", kit::random_tensor({3, 3, 1, 1}, seed));
    return node({.op = "Conv", .inputs = {input, &weight}}, name);
  };
  ir::Value* x = &graph.add_input("x", {tensor::DType::Float32, std::nullopt});
  ir::Value* sum = node({.op = "Add", .inputs = {conv("a", x, 1), conv("b", x, 2)}}, "sum");
  ir::Value* relu = node({.op = "Relu", .inputs = {sum}}, "relu");
  std::vector<ir::Value*> inputs{relu, &graph.add_initializer("s", at::full({}, 0.02F)),
                                 &graph.add_initializer("z", at::zeros({}))};
  ir::Attributes attributes{{"qmin", std::int64_t{0}}, {"qmax", std::int64_t{255}}};
  if (!estimator.empty()) attributes["estimator"] = estimator;
  if (estimator == "pact") inputs.push_back(&graph.add_initializer("c", at::full({1}, 2.0F)));
  ir::Value* quantized = node({.op = "FakeQuantize",
                               .inputs = inputs,
                               .attributes = attributes,
                               .domain = std::string(ir::kEspalierDomain)},
                              "q");
  ir::Value* y = node({.op = "Add", .inputs = {conv("d", quantized, 3), quantized}}, "y");
  if (seen_twice) y = node({.op = "Add", .inputs = {y, relu}}, "y2");
  graph.add_output(*y);
  return graph;
}

TEST(TrainingRegion, AReluThatAQuantizerAloneReadsIsPartOfIt) {
  for (const std::string estimator : {"", "abs_max", "pact", "lsq"}) {
    SCOPED_TRACE(estimator);
    const ir::Graph graph = residual_net(estimator, false);
    Program fused = Program::compile(graph, {.mode = Mode::Training});
    Program plain = Program::compile(graph, {.mode = Mode::Training, .fuse = false});
    EXPECT_THAT(fused.describe(), testing::HasSubstr("relu + q: q_out"));
    const TensorMap expected = train_step(plain, false);
    for (const auto& [name, tensor] : train_step(fused, false)) {
      ASSERT_EQ(tensor.defined(), expected.at(name).defined()) << name;
      if (!tensor.defined()) continue;
      const double size = expected.at(name).abs().max().item<double>();
      EXPECT_THAT(tensor, IsCloseTo(expected.at(name),
                                    Tolerance{.absolute = 1e-5 * size + 1e-7, .relative = 1e-5}))
          << name;
    }
  }
  const Program twice = Program::compile(residual_net("lsq", true), {.mode = Mode::Training});
  EXPECT_THAT(twice.describe(), testing::Not(testing::HasSubstr("relu + q")));
}

TEST(TrainingRegion, EvaluationUsesStoredStatisticsAndChangesNothing) {
  for (const bool fuse : {true, false}) {
    Program program = Program::compile(NetBuilder({.estimator = "lsq"}).build(),
                                       {.mode = Mode::Training, .fuse = fuse});
    program.set_training(false);
    TensorMap before;
    for (const auto& [name, buffer] : program.buffers()) before[name] = buffer.clone();
    const Tensor input = kit::random_tensor({2, 3, 11, 9}, 7, {.normal = true});
    const c10::AutoGradMode no_gradients(false);
    const Tensor result = program.run(std::vector<Tensor>{input}).at(0);
    for (const auto& [name, buffer] : program.buffers()) {
      EXPECT_THAT(buffer, kit::HasSameBits(before.at(name))) << name;
    }
    const Tensor inference = Program::compile(NetBuilder({.estimator = "lsq"}).build(), {})
                                 .run(std::vector<Tensor>{input})
                                 .at(0);
    EXPECT_THAT(result, IsCloseTo(inference, Tolerance{.absolute = 1e-5}));
  }
}

TEST(TrainingRegion, BitsDoNotDependOnTheThreads) {
  // Convolutions may: one region alone, with a kernel of one element and one input channel.
  const int before = at::get_num_threads();
  std::vector<TensorMap> seen;
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    ir::Graph graph;
    ir::Value& x = graph.add_input("x", {tensor::DType::Float32, std::nullopt});
    const auto constant = [&](const std::string& name, const Tensor& tensor) {
      return &graph.add_initializer(name, tensor);
    };
    ir::Node& conv = graph.add_node({.op = "Conv",
                                     .inputs = {&x, constant("w", at::ones({24, 1, 1, 1}))},
                                     .attributes = {{"group", std::int64_t{24}}}});
    ir::Node& norm =
        graph.add_node({.op = "BatchNormalization",
                        .inputs = {conv.output(), constant("gamma", kit::random_tensor({24}, 1)),
                                   constant("beta", kit::random_tensor({24}, 2)),
                                   constant("m", at::zeros({24})), constant("v", at::ones({24}))}});
    ir::Node& relu = graph.add_node({.op = "Relu", .inputs = {norm.output()}});
    ir::Node& last = graph.add_node(
        {.op = "FakeQuantize",
         .inputs = {relu.output(), constant("s", at::full({}, 0.01)), constant("z", at::zeros({}))},
         .attributes = {{"qmin", std::int64_t{0}},
                        {"qmax", std::int64_t{100}},
                        {"estimator", std::string("lsq")}},
         .domain = std::string(ir::kEspalierDomain)});
    graph.add_output(*last.output());
    const Program program = Program::compile(graph, {.mode = Mode::Training});
    const Tensor input = kit::random_tensor({6, 24, 33, 31}, 5, {.normal = true});
    const Tensor output = program.run(std::vector<Tensor>{input}).at(0);
    at::sum(output * output).backward();
    TensorMap step{{"output", output.detach()}};
    for (const std::string name : {"gamma", "beta", "s"}) {
      step[name] = program.parameters().at(name).grad().clone();
    }
    step["m"] = program.buffers().at("m");
    seen.push_back(step);
  }
  at::set_num_threads(before);
  for (const auto& [name, tensor] : seen[0]) {
    EXPECT_THAT(seen[1].at(name), kit::HasSameBits(tensor)) << name;
  }
}

}  // namespace
}  // namespace espalier::exec
