// The target tables. Which operator an engine computes in integers, and what it needs for that, was
// established per engine version (docs/quantization.md); tests hold one case a row.
#include <array>

#include "espalier/quant/target.h"

namespace espalier::quant {
namespace {

using enum Treatment;

constexpr tensor::QuantGrid kUnsigned{.bits = 8};
constexpr tensor::QuantGrid kSigned{.bits = 8, .is_signed = true};
constexpr tensor::QuantGrid kWeights{.bits = 8, .is_signed = true, .narrow = true};
constexpr tensor::QuantGrid kReducedWeights{
    .bits = 8, .is_signed = true, .narrow = true, .reduced = true};

constexpr Condition kPassing = Condition::PassesValues;
constexpr Condition kInner = Condition::InnerValue;
constexpr std::string_view kWeightInFront =
    "its weight is the first factor, which engines multiply in float or refuse";
constexpr std::string_view kOneAxis =
    "OpenVINO computes it wrongly in integers on one spatial axis";
constexpr std::string_view kNoKernel = "ONNX Runtime has no integer kernel for it";

// ONNX Runtime CPU fuses a pattern into an integer operator only when every input is dequantized
// and the output is quantized; matrix products may deliver float.
constexpr std::array kOnnxRuntimeRules{
    OpRule{"Conv", Weighted, true},
    OpRule{"Gemm", Weighted, false, Condition::PlainGemm},
    OpRule{"MatMul", Weighted, false, Condition::WeightBehind, kWeightInFront},
    OpRule{"Add", Quantized, true, kInner},
    OpRule{"Mul", Quantized, true, kInner},
    OpRule{"AveragePool", Quantized, true, kInner},
    OpRule{"GlobalAveragePool", Quantized, true, kInner},
    OpRule{"Sigmoid", Quantized, true, kInner},
    OpRule{"LeakyRelu", Quantized, true, kInner},
    OpRule{"Concat", Quantized, true, kInner},
    OpRule{"Relu", Activation},
    OpRule{"Clip", Activation},
    OpRule{"MaxPool", PassThrough, false, kPassing},
    OpRule{"Reshape", PassThrough, false, kPassing},
    OpRule{"Transpose", PassThrough, false, kPassing},
    OpRule{"Squeeze", PassThrough, false, kPassing},
    OpRule{"Unsqueeze", PassThrough, false, kPassing},
    OpRule{"Flatten", PassThrough, false, kPassing},
    OpRule{"Slice", PassThrough, false, kPassing},
    OpRule{"Split", PassThrough, false, kPassing},
    OpRule{"Gather", PassThrough, false, kPassing},
    OpRule{"GatherElements", PassThrough, false, kPassing},
    OpRule{"Expand", PassThrough, false, kPassing},
    OpRule{"Tile", PassThrough, false, kPassing},
    OpRule{"Resize", PassThrough, false, kPassing},
    OpRule{"DepthToSpace", PassThrough, false, kPassing},
    // Computed in float between a dequantizer and a quantizer of equal parameters: exact.
    OpRule{"SpaceToDepth", PassThrough, false, kPassing},
    OpRule{"Pad", PassThrough, false, kPassing},
    // It has no integer kernel there, but a float weight between a dequantizer and a quantizer it
    // would quantize itself.
    OpRule{"ConvTranspose", Weighted},
    OpRule{"HardSwish", Float, false, {}, kNoKernel},
    OpRule{"HardSigmoid", Float, false, {}, kNoKernel},
    OpRule{"PRelu", Float, false, {}, kNoKernel},
    OpRule{"Tanh", Float, false, {}, kNoKernel},
    OpRule{"Elu", Float, false, {}, kNoKernel},
    OpRule{"Gelu", Float, false, {}, kNoKernel},
    OpRule{"ReduceMean", Float, false, {}, kNoKernel},
    OpRule{"Sub", Float, false, {}, kNoKernel},
    OpRule{"Div", Float, false, {}, kNoKernel},
    OpRule{"Softmax", Float, false, {}, "probabilities need more than 8 bits"},
    OpRule{"InstanceNormalization", Float, false, {}, kNoKernel},
    OpRule{"LayerNormalization", Float, false, {}, kNoKernel},
    OpRule{"BatchNormalization", Float, false, {}, "it could not be folded into a layer"},
};

// With a scale for each channel OpenVINO computes a transposed convolution in float, and whatever
// precedes and follows it too.
constexpr OpRule kTransposed{"ConvTranspose", Weighted, false, Condition::Image, kOneAxis, true};

// One file for ONNX Runtime and OpenVINO: as ONNX Runtime, except for what OpenVINO needs: one
// scale on all inputs of a concatenation, and no integers where it computes them wrongly.
constexpr std::array kX86Rules{
    OpRule{"Conv", Weighted, true, Condition::Image, kOneAxis},
    kTransposed,
    OpRule{"Concat", SharedScale, true, kInner},
};

// OpenVINO fuses any elementwise function and the residual sum behind a convolution, and gives
// float where no quantizer follows. It adds in float what the convolution gives, also where a file
// quantizes that first.
constexpr std::array kOpenVinoRules{
    OpRule{"Conv", Weighted, false, Condition::Image, kOneAxis},
    kTransposed,
    OpRule{"Add", FusedSum},
    OpRule{"Mul", Quantized},
    OpRule{"Sub", Quantized},
    OpRule{"AveragePool", Quantized},
    OpRule{"GlobalAveragePool", Quantized},
    OpRule{"ReduceMean", Quantized},
    OpRule{"Concat", SharedScale},
    OpRule{"Sigmoid", Activation},
    OpRule{"LeakyRelu", Activation},
    OpRule{"PRelu", Activation},
    OpRule{"Tanh", Activation},
    OpRule{"Elu", Activation},
    OpRule{"Gelu", Activation},
    OpRule{"Mish", Activation},
    OpRule{"Softplus", Activation},
    OpRule{"HardSwish", Activation},
    OpRule{"HardSigmoid", Activation},
    OpRule{"Div", Float, false, {}, "OpenVINO divides in float"},
    OpRule{"InstanceNormalization", Float, false, {}, "OpenVINO normalizes in float"},
    OpRule{"LayerNormalization", Float, false, {}, "OpenVINO normalizes in float"},
};

constexpr std::string_view kMoves = "TensorRT moves quantizers through it by itself";
constexpr std::string_view kHalf = "TensorRT computes it in half precision";

// TensorRT wants quantizers at the inputs of layers only, and on the skip branch of a residual sum.
constexpr std::array kTensorRtRules{
    OpRule{"Conv", Weighted},
    OpRule{"ConvTranspose", Weighted},
    OpRule{"Gemm", Weighted, false, Condition::PlainGemm},
    OpRule{"MatMul", Weighted, false, Condition::WeightBehind, kWeightInFront},
    OpRule{"AveragePool", Quantized},
    OpRule{"GlobalAveragePool", Quantized},
    OpRule{"MaxPool", PassThrough, false, kPassing},
    OpRule{"Add", SkipQuantized},
    OpRule{"Concat", SharedScale},
    OpRule{"Relu", Activation},
    OpRule{"Clip", Activation},
    OpRule{"LeakyRelu", Activation},
    OpRule{"Sigmoid", Activation},
    OpRule{"Tanh", Activation},
    OpRule{"HardSigmoid", Activation},
    OpRule{"HardSwish", Activation},
    OpRule{"Mul", Float, false, {}, kHalf},
    OpRule{"Softmax", Float, false, {}, kHalf},
    OpRule{"Reshape", Float, false, {}, kMoves},
    OpRule{"Transpose", Float, false, {}, kMoves},
    OpRule{"Flatten", Float, false, {}, kMoves},
    OpRule{"Squeeze", Float, false, {}, kMoves},
    OpRule{"Unsqueeze", Float, false, {}, kMoves},
    OpRule{"Slice", Float, false, {}, kMoves},
    OpRule{"Split", Float, false, {}, kMoves},
    OpRule{"Pad", Float, false, {}, kMoves},
    OpRule{"Resize", Float, false, {}, kHalf},
};

// Layers with weights alone, symmetric on both sides, as Paddle's tools quantize.
constexpr std::array kGenericRules{
    OpRule{"Conv", Weighted},
    OpRule{"ConvTranspose", Weighted},
    OpRule{"Gemm", Weighted, false, Condition::PlainGemm},
    OpRule{"MatMul", Weighted, false, Condition::WeightBehind, kWeightInFront},
};

constexpr Formats kX86Formats{.activations = kUnsigned,
                              .symmetric_activations = false,
                              .weights = kWeights,
                              .reduced_weights = kReducedWeights,
                              .quantized_activation = true};

constexpr Formats kOpenVinoFormats{.activations = kUnsigned,
                                   .symmetric_activations = false,
                                   .weights = kWeights,
                                   .reduced_weights = kReducedWeights};

constexpr Formats kSignedFormats{.activations = kSigned,
                                 .symmetric_activations = true,
                                 .weights = kWeights,
                                 .reduced_weights = kReducedWeights,
                                 .per_channel_weights = true,
                                 .quantized_bias = false,
                                 .range_inside_activation = false};

constexpr std::array<std::string_view, 2> kBothEngines{"onnxruntime", "openvino"};
constexpr std::span kOnnxRuntime(kBothEngines.data(), 1);
constexpr std::span kOpenVino(kBothEngines.data() + 1, 1);

const std::array kTargets{
    Target{"x86", "one file that ONNX Runtime and OpenVINO run in integers", "onnxruntime",
           std::nullopt, kX86Rules, kBothEngines},
    Target{"onnxruntime", "ONNX Runtime on CPUs", "", kX86Formats, kOnnxRuntimeRules, kOnnxRuntime},
    Target{"openvino", "OpenVINO on CPUs", "onnxruntime", kOpenVinoFormats, kOpenVinoRules,
           kOpenVino},
    Target{"tensorrt", "TensorRT 10 and 11, explicit quantization", "", kSignedFormats,
           kTensorRtRules},
    Target{"generic", "layers with weights, symmetric", "", kSignedFormats, kGenericRules},
};

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

}  // namespace espalier::quant
