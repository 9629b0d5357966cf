#include "espalier/ops/index_rule.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace espalier::ops {
namespace {

using enum IndexRule;

constexpr std::string_view kWindow = "a window slides over it";
constexpr std::string_view kCodes = "it computes on integer codes; prune before quantizing";
constexpr std::string_view kChoice = "its result depends on all positions";
constexpr std::string_view kMean = "its mean counts all positions";
constexpr std::string_view kNormalized = "it normalizes over all positions";
constexpr std::string_view kDataDependent = "which positions it reads is known at run time only";
constexpr std::string_view kSubgraph = "what happens inside its subgraphs is not followed";
constexpr std::string_view kRecurrent = "recurrent layers have no rule";
constexpr std::string_view kMade = "it is made from a shape or a constant";

constexpr IndexRuleRow elementwise(std::string_view name, PortSet ports = kAllPorts) {
  return {.name = name, .rule = Elementwise, .ports = ports};
}

constexpr std::array kElementwise{
    elementwise("Abs"),         elementwise("Acos"),
    elementwise("Acosh"),       elementwise("Add"),
    elementwise("And"),         elementwise("Asin"),
    elementwise("Asinh"),       elementwise("Atan"),
    elementwise("Atanh"),       elementwise("BitShift"),
    elementwise("BitwiseAnd"),  elementwise("BitwiseNot"),
    elementwise("BitwiseOr"),   elementwise("BitwiseXor"),
    elementwise("Cast"),        elementwise("CastLike", port(0)),
    elementwise("Ceil"),        elementwise("Celu"),
    elementwise("Clip"),        elementwise("Cos"),
    elementwise("Cosh"),        elementwise("Div"),
    elementwise("Elu"),         elementwise("Equal"),
    elementwise("Erf"),         elementwise("Exp"),
    elementwise("Floor"),       elementwise("Gelu"),
    elementwise("Greater"),     elementwise("GreaterOrEqual"),
    elementwise("HardSigmoid"), elementwise("HardSwish"),
    elementwise("Identity"),    elementwise("IsInf"),
    elementwise("IsNaN"),       elementwise("LeakyRelu"),
    elementwise("Less"),        elementwise("LessOrEqual"),
    elementwise("Log"),         elementwise("Max"),
    elementwise("Mean"),        elementwise("Min"),
    elementwise("Mish"),        elementwise("Mod"),
    elementwise("Mul"),         elementwise("Neg"),
    elementwise("Not"),         elementwise("Or"),
    elementwise("PRelu"),       elementwise("Pow"),
    elementwise("Reciprocal"),  elementwise("Relu"),
    elementwise("Round"),       elementwise("Selu"),
    elementwise("Shrink"),      elementwise("Sigmoid"),
    elementwise("Sign"),        elementwise("Sin"),
    elementwise("Sinh"),        elementwise("Softplus"),
    elementwise("Softsign"),    elementwise("Sqrt"),
    elementwise("Sub"),         elementwise("Sum"),
    elementwise("Tan"),         elementwise("Tanh"),
    elementwise("Where"),       elementwise("Xor"),
    elementwise("Dropout"),     elementwise("ThresholdedRelu"),
};

constexpr std::array kOthers{
    IndexRuleRow{"BatchNormalization", PerChannel, port(1) | port(2) | port(3) | port(4)},
    IndexRuleRow{"InstanceNormalization", PerChannel, port(1) | port(2), kNormalized},
    IndexRuleRow{"GroupNormalization", ChannelGroups, port(1) | port(2), kNormalized},
    IndexRuleRow{"LayerNormalization", TrailingAxes, port(1) | port(2), kNormalized},
    IndexRuleRow{"RMSNormalization", TrailingAxes, port(1), kNormalized},
    IndexRuleRow{"MeanVarianceNormalization", ListedAxes, kNoPorts, kNormalized},
    IndexRuleRow{"LpNormalization", ZeroNeutralAxis, kNoPorts},
    IndexRuleRow{"CumSum", ZeroNeutralAxis, port(1)},
    IndexRuleRow{"LRN", AcrossChannels, kNoPorts, kWindow},
    IndexRuleRow{"QuantizeLinear", PerAxis, port(1) | port(2)},
    IndexRuleRow{"DequantizeLinear", PerAxis, port(1) | port(2)},
    IndexRuleRow{"FakeQuantize", PerAxis, port(1) | port(2), {}, ir::kEspalierDomain},
    IndexRuleRow{"Conv", Convolution, kAllPorts, kWindow},
    IndexRuleRow{"ConvTranspose", ConvTranspose, kAllPorts, kWindow},
    IndexRuleRow{"Gemm", Gemm},
    IndexRuleRow{"MatMul", MatMul},
    IndexRuleRow{"Einsum", Einsum},
    IndexRuleRow{"MaxPool", Window, kAllPorts, kWindow},
    IndexRuleRow{"AveragePool", Window, kAllPorts, kWindow},
    IndexRuleRow{"LpPool", Window, kAllPorts, kWindow},
    IndexRuleRow{"GlobalMaxPool", GlobalWindow, kAllPorts, kChoice},
    IndexRuleRow{"GlobalAveragePool", GlobalWindow, kAllPorts, kMean},
    IndexRuleRow{"GlobalLpPool", GlobalWindow, kAllPorts, kChoice},
    IndexRuleRow{"MaxUnpool", Unpool, kAllPorts, kWindow},
    IndexRuleRow{"Resize", Resample, kAllPorts, "it is resampled"},
    IndexRuleRow{"GridSample", GridSample, kAllPorts, "it is resampled"},
    IndexRuleRow{"ReduceSum", ReduceSum},
    IndexRuleRow{"ReduceSumSquare", ReduceSum},
    IndexRuleRow{"ReduceL1", ReduceSum},
    IndexRuleRow{"ReduceL2", ReduceSum},
    IndexRuleRow{"ReduceLogSum", ReduceSum},
    IndexRuleRow{"ReduceMean", ReduceFixed, kAllPorts, kMean},
    IndexRuleRow{"ReduceMax", ReduceFixed, kAllPorts, kChoice},
    IndexRuleRow{"ReduceMin", ReduceFixed, kAllPorts, kChoice},
    IndexRuleRow{"ReduceProd", ReduceFixed, kAllPorts, kChoice},
    IndexRuleRow{"ReduceLogSumExp", ReduceFixed, kAllPorts, kChoice},
    IndexRuleRow{"Softmax", AlongAxis, kAllPorts, kNormalized},
    IndexRuleRow{"LogSoftmax", AlongAxis, kAllPorts, kNormalized},
    IndexRuleRow{"Hardmax", AlongAxis, kAllPorts, kChoice},
    IndexRuleRow{"ArgMax", SelectAlongAxis, kAllPorts, "its result is a position"},
    IndexRuleRow{"ArgMin", SelectAlongAxis, kAllPorts, "its result is a position"},
    IndexRuleRow{"TopK", SelectAlongAxis, kAllPorts, "its result holds positions"},
    IndexRuleRow{"Transpose", Transpose},
    IndexRuleRow{"Reshape", Reshape},
    IndexRuleRow{"Flatten", Reshape},
    IndexRuleRow{"Squeeze", Reshape},
    IndexRuleRow{"Unsqueeze", Reshape},
    IndexRuleRow{"Concat", Concat},
    IndexRuleRow{"Split", Split},
    IndexRuleRow{"Slice", Slice},
    IndexRuleRow{"Pad", Pad},
    IndexRuleRow{"Gather", Gather},
    IndexRuleRow{"Expand", Expand},
    IndexRuleRow{"Tile", Tile},
    IndexRuleRow{"DepthToSpace", DepthToSpace},
    IndexRuleRow{"SpaceToDepth", SpaceToDepth},
    IndexRuleRow{"Shape", Size},
    IndexRuleRow{"Size", Size},
    IndexRuleRow{"Constant", Generator, kAllPorts, kMade},
    IndexRuleRow{"ConstantOfShape", Generator, kAllPorts, kMade},
    IndexRuleRow{"Range", Generator, kAllPorts, kMade},
    IndexRuleRow{"OneHot", Veto, kAllPorts, "its size is a number of classes"},
    IndexRuleRow{"EyeLike", Veto, kAllPorts, "its diagonal ties two axes together"},
    IndexRuleRow{"NonZero", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"CenterCropPad", Veto, kAllPorts, "no rule for a crop by the centre"},
    IndexRuleRow{"GatherElements", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"GatherND", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"ScatterElements", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"ScatterND", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"Compress", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"ReverseSequence", Veto, kAllPorts, kDataDependent},
    IndexRuleRow{"Trilu", Veto, kAllPorts, "its diagonal ties two axes together"},
    IndexRuleRow{"Col2Im", Veto, kAllPorts, "no rule for overlapping blocks"},
    IndexRuleRow{"AffineGrid", Veto, kAllPorts, "a grid of positions has no channels"},
    IndexRuleRow{"MaxRoiPool", Veto, kAllPorts, "no rule for pooling of regions"},
    IndexRuleRow{"RoiAlign", Veto, kAllPorts, "no rule for pooling of regions"},
    IndexRuleRow{"DeformConv", Veto, kAllPorts, "no rule for deformable convolution"},
    IndexRuleRow{"DynamicQuantizeLinear", Veto, kAllPorts, kCodes},
    IndexRuleRow{"QLinearConv", Veto, kAllPorts, kCodes},
    IndexRuleRow{"QLinearMatMul", Veto, kAllPorts, kCodes},
    IndexRuleRow{"ConvInteger", Veto, kAllPorts, kCodes},
    IndexRuleRow{"MatMulInteger", Veto, kAllPorts, kCodes},
    IndexRuleRow{"If", Veto, kAllPorts, kSubgraph},
    IndexRuleRow{"Loop", Veto, kAllPorts, kSubgraph},
    IndexRuleRow{"Scan", Veto, kAllPorts, kSubgraph},
    IndexRuleRow{"LSTM", Veto, kAllPorts, kRecurrent},
    IndexRuleRow{"GRU", Veto, kAllPorts, kRecurrent},
    IndexRuleRow{"RNN", Veto, kAllPorts, kRecurrent},
    IndexRuleRow{"NonMaxSuppression", Veto, kAllPorts, "boxes have no channels"},
};

using RuleKey = std::pair<std::string_view, std::string_view>;

RuleKey rule_key(const IndexRuleRow& row) {
  return {row.domain, row.name};
}

std::vector<IndexRuleRow> join_tables() {
  std::vector<IndexRuleRow> joined(kElementwise.begin(), kElementwise.end());
  joined.insert(joined.end(), kOthers.begin(), kOthers.end());
  std::ranges::sort(joined, {}, rule_key);
  return joined;
}

}  // namespace

std::span<const IndexRuleRow> index_rules() {
  static const std::vector<IndexRuleRow> joined = join_tables();
  return joined;
}

const IndexRuleRow* find_index_rule(std::string_view op, std::string_view domain) {
  const std::span<const IndexRuleRow> rows = index_rules();
  const auto place = std::ranges::lower_bound(rows, RuleKey{domain, op}, {}, rule_key);
  return place != rows.end() && rule_key(*place) == RuleKey{domain, op} ? &*place : nullptr;
}

const IndexRuleRow* find_index_rule(const ir::Node& node) {
  return find_index_rule(node.op(), node.domain());
}

}  // namespace espalier::ops
