#include "espalier/exec/kernels/table.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"

namespace espalier::exec {
namespace {

constexpr std::array kTable{
    OperatorRow{"Abs", make_unary},
    OperatorRow{"Acos", make_unary},
    OperatorRow{"Acosh", make_unary},
    OperatorRow{"Add", make_add},
    OperatorRow{"And", make_binary},
    OperatorRow{"ArgMax", make_arg_extreme},
    OperatorRow{"ArgMin", make_arg_extreme},
    OperatorRow{"Asin", make_unary},
    OperatorRow{"Asinh", make_unary},
    OperatorRow{"Atan", make_unary},
    OperatorRow{"Atanh", make_unary},
    OperatorRow{"AveragePool", make_average_pool},
    OperatorRow{"BatchNormalization", make_batch_normalization},
    OperatorRow{"BitShift", make_bit_shift},
    OperatorRow{"BitwiseAnd", make_binary},
    OperatorRow{"BitwiseNot", make_unary},
    OperatorRow{"BitwiseOr", make_binary},
    OperatorRow{"BitwiseXor", make_binary},
    OperatorRow{"Cast", make_cast, {}, "numbers and bool; no strings, no 4-bit or 8-bit floats"},
    OperatorRow{"CastLike", make_cast_like, {1}, "as Cast"},
    OperatorRow{"Ceil", make_unary},
    OperatorRow{"Celu", make_simple_activation},
    OperatorRow{"CenterCropPad", make_center_crop_pad, {1}},
    OperatorRow{"Clip", make_clip, {1, 2}},
    OperatorRow{"Compress", make_compress},
    OperatorRow{"Concat", make_concat},
    OperatorRow{"Constant", make_constant, {}, "tensors and numbers; no strings"},
    OperatorRow{"ConstantOfShape", make_constant_of_shape, {0}},
    OperatorRow{"Conv", make_conv, {}, "1 to 3 spatial dimensions"},
    OperatorRow{"ConvInteger", make_conv_integer, {2, 3}},
    OperatorRow{"ConvTranspose", make_conv_transpose, {}, "1 to 3 spatial dimensions"},
    OperatorRow{"Cos", make_unary},
    OperatorRow{"Cosh", make_unary},
    OperatorRow{"CumSum", make_cum_sum, {1}},
    OperatorRow{"DepthToSpace", make_depth_to_space},
    OperatorRow{"DequantizeLinear", make_dequantize_linear, {1, 2}, "8, 16 and 32-bit integers"},
    OperatorRow{"Div", make_binary},
    OperatorRow{"Dropout", make_dropout, {1, 2}},
    OperatorRow{"DynamicQuantizeLinear", make_dynamic_quantize_linear},
    OperatorRow{"Einsum", make_einsum},
    OperatorRow{"Elu", make_simple_activation},
    OperatorRow{"Equal", make_binary},
    OperatorRow{"Erf", make_unary},
    OperatorRow{"Exp", make_unary},
    OperatorRow{"Expand", make_expand, {1}},
    OperatorRow{"EyeLike", make_eye_like},
    OperatorRow{"Flatten", make_flatten},
    OperatorRow{"Floor", make_unary},
    OperatorRow{"Gather", make_gather},
    OperatorRow{"GatherElements", make_gather_elements},
    OperatorRow{"GatherND", make_gather_nd},
    OperatorRow{"Gelu", make_simple_activation},
    OperatorRow{"Gemm", make_gemm},
    OperatorRow{"GlobalAveragePool", make_global_average_pool},
    OperatorRow{"GlobalLpPool", make_global_lp_pool},
    OperatorRow{"GlobalMaxPool", make_global_max_pool},
    OperatorRow{"Greater", make_binary},
    OperatorRow{"GreaterOrEqual", make_binary},
    OperatorRow{"GridSample", make_grid_sample, {}, "2 or 3 spatial dimensions; cubic: 2"},
    OperatorRow{"GroupNormalization", make_group_normalization},
    OperatorRow{"HardSigmoid", make_simple_activation},
    OperatorRow{"HardSwish", make_simple_activation},
    OperatorRow{"Hardmax", make_hardmax},
    OperatorRow{"Identity", make_identity},
    OperatorRow{"InstanceNormalization", make_instance_normalization},
    OperatorRow{"IsInf", make_is_inf},
    OperatorRow{"IsNaN", make_unary},
    OperatorRow{"LRN", make_lrn},
    OperatorRow{"LayerNormalization", make_layer_normalization},
    OperatorRow{"LeakyRelu", make_simple_activation},
    OperatorRow{"Less", make_binary},
    OperatorRow{"LessOrEqual", make_binary},
    OperatorRow{"Log", make_unary},
    OperatorRow{"LogSoftmax", make_softmax},
    OperatorRow{"LpNormalization", make_lp_normalization},
    OperatorRow{"LpPool", make_lp_pool},
    OperatorRow{"MatMul", make_mat_mul},
    OperatorRow{"MatMulInteger", make_mat_mul_integer, {2, 3}},
    OperatorRow{"Max", make_variadic},
    OperatorRow{"MaxPool", make_max_pool, {}, "1 to 3 spatial dimensions"},
    OperatorRow{"MaxUnpool", make_max_unpool, {2}},
    OperatorRow{"Mean", make_variadic},
    OperatorRow{"MeanVarianceNormalization", make_mean_variance_normalization},
    OperatorRow{"Min", make_variadic},
    OperatorRow{"Mish", make_simple_activation},
    OperatorRow{"Mod", make_mod},
    OperatorRow{"Mul", make_binary},
    OperatorRow{"Neg", make_unary},
    OperatorRow{"NonZero", make_non_zero},
    OperatorRow{"Not", make_unary},
    OperatorRow{"OneHot", make_one_hot, {1}},
    OperatorRow{"Or", make_binary},
    OperatorRow{"PRelu", make_prelu},
    OperatorRow{"Pad", make_pad, {1, 2, 3}},
    OperatorRow{"Pow", make_binary},
    OperatorRow{"QLinearConv", make_qlinear_conv, {1, 2, 4, 5, 6, 7}},
    OperatorRow{"QLinearMatMul", make_qlinear_mat_mul, {1, 2, 4, 5, 6, 7}},
    OperatorRow{"QuantizeLinear", make_quantize_linear, {1, 2}, "8 and 16-bit integers"},
    OperatorRow{"RMSNormalization", make_rms_normalization},
    OperatorRow{"Range", make_range, {0, 1, 2}},
    OperatorRow{"Reciprocal", make_unary},
    OperatorRow{"ReduceL1", make_reduction, {1}},
    OperatorRow{"ReduceL2", make_reduction, {1}},
    OperatorRow{"ReduceLogSum", make_reduction, {1}},
    OperatorRow{"ReduceLogSumExp", make_reduction, {1}},
    OperatorRow{"ReduceMax", make_reduction, {1}},
    OperatorRow{"ReduceMean", make_reduction, {1}},
    OperatorRow{"ReduceMin", make_reduction, {1}},
    OperatorRow{"ReduceProd", make_reduction, {1}},
    OperatorRow{"ReduceSum", make_reduction, {1}},
    OperatorRow{"ReduceSumSquare", make_reduction, {1}},
    OperatorRow{"Relu", make_relu},
    OperatorRow{"Reshape", make_reshape, {1}},
    OperatorRow{"Resize", make_resize, {1, 2, 3}, "engines depart from it: docs/verification.md"},
    OperatorRow{"Round", make_unary},
    OperatorRow{"ScatterElements", make_scatter_elements},
    OperatorRow{"ScatterND", make_scatter_nd},
    OperatorRow{"Selu", make_simple_activation},
    OperatorRow{"Shape", make_shape},
    OperatorRow{"Shrink", make_simple_activation},
    OperatorRow{"Sigmoid", make_simple_activation},
    OperatorRow{"Sign", make_unary},
    OperatorRow{"Sin", make_unary},
    OperatorRow{"Sinh", make_unary},
    OperatorRow{"Size", make_size},
    OperatorRow{"Slice", make_slice, {1, 2, 3, 4}},
    OperatorRow{"Softmax", make_softmax},
    OperatorRow{"Softplus", make_simple_activation},
    OperatorRow{"Softsign", make_simple_activation},
    OperatorRow{"SpaceToDepth", make_space_to_depth},
    OperatorRow{"Split", make_split, {1}},
    OperatorRow{"Sqrt", make_unary},
    OperatorRow{"Squeeze", make_squeeze, {1}},
    OperatorRow{"Sub", make_binary},
    OperatorRow{"Sum", make_variadic},
    OperatorRow{"Tan", make_unary},
    OperatorRow{"Tanh", make_simple_activation},
    OperatorRow{"ThresholdedRelu", make_simple_activation},
    OperatorRow{"Tile", make_tile, {1}},
    OperatorRow{"TopK", make_top_k, {1}},
    OperatorRow{"Transpose", make_transpose},
    OperatorRow{"Trilu", make_trilu, {1}},
    OperatorRow{"Unsqueeze", make_unsqueeze, {1}},
    OperatorRow{"Where", make_where},
    OperatorRow{"Xor", make_binary},
    OperatorRow{"FakeQuantize",
                make_fake_quantize,
                {1, 2, 3},
                "gradient: straight through; training estimators: docs/training-quantized.md",
                ir::kEspalierDomain},
};

constexpr bool before(const OperatorRow& left, const OperatorRow& right) {
  return left.domain != right.domain ? left.domain < right.domain : left.op < right.op;
}
static_assert(std::is_sorted(kTable.begin(), kTable.end(), before));

}  // namespace

std::span<const OperatorRow> operator_table() {
  return kTable;
}

const OperatorRow* find_operator(const ir::Node& node) {
  const OperatorRow key{.op = node.op(), .domain = node.domain()};
  const auto place = std::lower_bound(kTable.begin(), kTable.end(), key, before);
  const bool found = place != kTable.end() && place->op == key.op && place->domain == key.domain;
  return found ? &*place : nullptr;
}

std::string operators_page() {
  std::string page =
      "# Operators\n\n"
      "The operators that Espalier runs and trains, in their forms of opset 13 to 23; models of\n"
      "older opsets are upgraded when they are read. A model with any other operator can be\n"
      "inspected, but running it is refused with the operator's name.\n\n"
      "| Operator | Domain | Limits |\n|---|---|---|\n";
  for (const OperatorRow& row : kTable) {
    fmt::format_to(std::back_inserter(page), "| {} | {} | {} |\n", row.op,
                   row.domain.empty() ? "ONNX" : row.domain, row.note);
  }
  fmt::format_to(std::back_inserter(page), "\n{} operators.\n", kTable.size());
  return page;
}

}  // namespace espalier::exec
