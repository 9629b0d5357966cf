// What output_shape and auto_pad cut off: ONNX, ConvTranspose, the equations for total_padding.
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

struct Case {
  std::string auto_pad;  ///< empty: not given
  std::int64_t wanted;   ///< output_shape
  std::int64_t kernel;   ///< elements 1, 2, ...
  std::int64_t first;    ///< kernel element at the first position; 0: none
};

/// The output for a one at the first of four positions, stride 2, one axis.
std::vector<double> response(const Case& row) {
  ir::Graph graph;
  graph.opsets[""] = 17;
  ir::Value& x = graph.add_input("x", {tensor::DType::Float32, tensor::make_shape({1, 1, 4})});
  Tensor weight = at::zeros({1, 1, row.kernel});
  for (std::int64_t index = 0; index < row.kernel; ++index) weight[0][0][index] = index + 1;
  ir::Node& node = graph.add_node(
      {.op = "ConvTranspose",
       .inputs = {&x, &graph.add_initializer("w", weight)},
       .outputs = {"y"},
       .attributes = {{"strides", ir::Ints{2}}, {"output_shape", ir::Ints{row.wanted}}},
       .name = "up"});
  if (!row.auto_pad.empty()) node.set("auto_pad", row.auto_pad);
  graph.add_output(*node.output());
  Tensor input = at::zeros({1, 1, 4});
  input[0][0][0] = 1;
  return kit::values_of(Program::compile(graph, {}).run(std::span(&input, 1)).at(0));
}

TEST(ConvTranspose, OutputShapeCutsTheLargerHalfInFront) {
  // Full outputs: 9 with 3 elements, 7 with one.
  for (const Case& row :
       {Case{"", 8, 3, 2}, Case{"SAME_UPPER", 8, 3, 1}, Case{"SAME_LOWER", 8, 3, 2},
        Case{"", 7, 3, 2}, Case{"", 9, 3, 1}, Case{"", 6, 3, 3}, Case{"SAME_UPPER", 6, 3, 2},
        Case{"", 8, 1, 1}, Case{"SAME_LOWER", 8, 1, 1}, Case{"", 10, 3, 1}}) {
    const std::vector<double> y = response(row);
    ASSERT_EQ(y.size(), static_cast<std::size_t>(row.wanted));
    EXPECT_EQ(y[0], static_cast<double>(row.first))
        << "'" << row.auto_pad << "' " << row.wanted << " kernel " << row.kernel;
  }
}

}  // namespace
}  // namespace espalier::exec
