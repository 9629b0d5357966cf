// One case a row: what each target does with an operator behind a convolution, as the engines were
// found to need it (docs/quantization.md).
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "espalier/quant/target.h"

namespace espalier::quant {
namespace {

/// q: inputs read quantized, Q: and the output quantized; w/W: layer with weights likewise; s/S:
/// one scale; k: the skip branch alone; p: parameters pass through; a: merges as activation; f:
/// float;
/// -: not in the table.
struct Row {
  std::string_view op;
  std::string_view marks;  ///< x86, onnxruntime, openvino, tensorrt, generic
};

constexpr std::array kRows{
    Row{"Conv", "WWwww"},
    Row{"ConvTranspose", "wwwww"},
    Row{"Gemm", "wwwww"},
    Row{"MatMul", "wwwww"},
    Row{"Add", "QQuk-"},
    Row{"Mul", "QQqf-"},
    Row{"Sub", "ffq--"},
    Row{"Div", "fff--"},
    Row{"Relu", "aaaa-"},
    Row{"Clip", "aaaa-"},
    Row{"LeakyRelu", "QQaa-"},
    Row{"PRelu", "ffa--"},
    Row{"Sigmoid", "QQaa-"},
    Row{"Tanh", "ffaa-"},
    Row{"Elu", "ffa--"},
    Row{"Gelu", "ffa--"},
    Row{"HardSwish", "ffaa-"},
    Row{"HardSigmoid", "ffaa-"},
    Row{"Softmax", "ffff-"},
    Row{"AveragePool", "QQqq-"},
    Row{"GlobalAveragePool", "QQqq-"},
    Row{"MaxPool", "pppp-"},
    Row{"ReduceMean", "ffq--"},
    Row{"Concat", "SQss-"},
    Row{"Reshape", "pppf-"},
    Row{"Transpose", "pppf-"},
    Row{"Flatten", "pppf-"},
    Row{"Squeeze", "pppf-"},
    Row{"Unsqueeze", "pppf-"},
    Row{"Slice", "pppf-"},
    Row{"Split", "pppf-"},
    Row{"Pad", "pppf-"},
    Row{"Gather", "ppp--"},
    Row{"Expand", "ppp--"},
    Row{"Tile", "ppp--"},
    Row{"Resize", "pppf-"},
    Row{"DepthToSpace", "ppp--"},
    Row{"SpaceToDepth", "ppp--"},
    Row{"InstanceNormalization", "fff--"},
    Row{"LayerNormalization", "fff--"},
    Row{"BatchNormalization", "fff--"},
};

char mark_of(const OpRule* rule) {
  if (rule == nullptr) return '-';
  switch (rule->treatment) {
    case Treatment::Weighted:
      return rule->quantized_output ? 'W' : 'w';
    case Treatment::Quantized:
      return rule->quantized_output ? 'Q' : 'q';
    case Treatment::SkipQuantized:
      return 'k';
    case Treatment::FusedSum:
      return 'u';
    case Treatment::SharedScale:
      return rule->quantized_output ? 'S' : 's';
    case Treatment::PassThrough:
      return 'p';
    case Treatment::Activation:
      return 'a';
    case Treatment::Float:
      return 'f';
  }
  return '?';
}

TEST(Targets, TreatOperatorsAsTheEnginesNeed) {
  for (const Row& row : kRows) {
    std::string marks;
    for (const Target& target : targets()) marks += mark_of(find_rule(target, row.op));
    EXPECT_EQ(marks, row.marks) << row.op;
  }
}

TEST(Targets, OperatorsWhoseValuesChangeDoNotPassThrough) {
  for (const Target& target : targets()) {
    for (const OpRule& rule : target.rules) {
      if (rule.treatment != Treatment::PassThrough) continue;
      EXPECT_EQ(rule.condition, Condition::PassesValues) << rule.op;
    }
  }
}

}  // namespace
}  // namespace espalier::quant
