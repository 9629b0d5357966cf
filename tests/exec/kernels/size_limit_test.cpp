#include "espalier/exec/kernels/size_limit.h"

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

std::string refusal(const std::vector<std::int64_t>& sizes) {
  try {
    check_elements(sizes);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(SizeLimitTest, CountsElementsWithoutOverflow) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({1 << 16, 1 << 15}), "");
  EXPECT_EQ(refusal({1 << 16, (1 << 15) + 1}),
            "the result would have sizes [65536, 32769]: more than 2^31 elements");
  EXPECT_EQ(refusal({kHuge, kHuge, 2}),
            "the result would have sizes [9223372036854775807, 9223372036854775807, 2]: more than "
            "2^31 elements");
  EXPECT_EQ(refusal({1 << 16, 0}), "");
  EXPECT_NE(refusal({kHuge, 0}), "");
  EXPECT_EQ(refusal({2, -3}), "the result would have sizes [2, -3]: a size is negative");
  EXPECT_THROW(check_padded(std::vector<std::int64_t>{3, 4}, std::vector<std::int64_t>{kHuge},
                            std::vector<std::int64_t>{0}),
               std::invalid_argument);
  EXPECT_NO_THROW(check_padded(std::vector<std::int64_t>{3, 4}, std::vector<std::int64_t>{-2},
                               std::vector<std::int64_t>{-2}));
}

struct Case {
  std::string op;
  std::vector<Tensor> constants;  ///< inputs after x; undefined: left out
  ir::Attributes attributes = {};
  bool reads_input = true;
  std::string label = {};
};

/// Models of a few bytes that ask for at least 10^11 elements each.
class SizeLimit : public testing::TestWithParam<Case> {};

ir::Graph model(const Case& request) {
  ir::Graph graph;
  graph.opsets[""] = 18;
  ir::Value& x = graph.add_input(
      "x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({1, 1, 2, 2})});
  ir::NodeSpec spec{.op = request.op, .attributes = request.attributes, .name = "big"};
  if (request.reads_input) spec.inputs.push_back(&x);
  for (const Tensor& constant : request.constants) {
    spec.inputs.push_back(constant.defined()
                              ? &graph.add_initializer(graph.unique_value_name("c"), constant)
                              : nullptr);
  }
  graph.add_output(*graph.add_node(std::move(spec)).output());
  return graph;
}

TEST_P(SizeLimit, NamesTheNodeBeforeAnythingIsAllocated) {
  const ir::Graph graph = model(GetParam());
  const std::vector<Tensor> inputs{kit::random_tensor({1, 1, 2, 2}, 1)};
  const auto run = [&] { (void)Program::compile(graph, {}).run(inputs); };
  kit::expect_user_error(run, "node 'big' (" + GetParam().op + ")");
  kit::expect_user_error(run, "the result would have sizes [");
}

Tensor ints(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

Tensor number(std::int64_t value) {
  return at::scalar_tensor(value, at::kLong);
}

constexpr std::int64_t kMillion = 1'000'000;

const std::vector<Case> kCases{
    {.op = "ConstantOfShape", .constants = {ints({kMillion, kMillion})}, .reads_input = false},
    {.op = "Range",
     .constants = {number(0), number(kMillion* kMillion), number(1)},
     .reads_input = false},
    {.op = "OneHot",
     .constants = {ints({0, 1, 2}), number(100'000 * kMillion), at::tensor({0.0F, 1.0F})},
     .reads_input = false},
    {.op = "Expand", .constants = {ints({kMillion, kMillion, 1, 2, 2})}},
    {.op = "Tile", .constants = {ints({1, 1, kMillion, kMillion})}},
    {.op = "Pad", .constants = {ints({0, 0, 0, 0, 0, 0, kMillion, kMillion})}},
    {.op = "Pad",
     .constants = {ints({0, 0, 0, 0, 0, 0, 0, kMillion* kMillion})},
     .attributes = {{"mode", "edge"}},
     .label = "Edge"},
    {.op = "Resize", .constants = {Tensor(), at::tensor({1.0F, 1.0F, 9e5F, 9e5F})}},
    {.op = "Resize",
     .constants = {Tensor(), Tensor(), ints({1, 1, kMillion* kMillion, 2})},
     .label = "Sizes"},
    {.op = "CenterCropPad", .constants = {ints({1, 1, kMillion, kMillion})}},
    {.op = "Conv",
     .constants = {at::ones({1, 1, 1, 1})},
     .attributes = {{"pads", ir::Ints{0, 0, kMillion, kMillion}}}},
    {.op = "ConvTranspose",
     .constants = {at::ones({1, 1, 1, 1})},
     .attributes = {{"strides", ir::Ints{kMillion, kMillion}}}},
    {.op = "ConvTranspose",
     .constants = {at::ones({1, 1, 1, 1})},
     .attributes = {{"output_shape", ir::Ints{kMillion, kMillion}}},
     .label = "Shape"},
    {.op = "MaxUnpool",
     .constants = {ints({0, 1, 2, 3}).reshape({1, 1, 2, 2})},
     .attributes = {{"kernel_shape", ir::Ints{1, 1}}, {"strides", ir::Ints{kMillion, kMillion}}}},
};

INSTANTIATE_TEST_SUITE_P(All, SizeLimit, testing::ValuesIn(kCases), [](const auto& instance) {
  return instance.param.op + instance.param.label;
});

}  // namespace
}  // namespace espalier::exec
