// MobileNetV1 (Howard et al., 2017) with the layer names that PaddleClas uses: ReLU, 13 separable
// blocks, depthwise layers as grouped convolutions.
#include <array>
#include <cmath>
#include <string_view>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

/// One depthwise separable block at width 1.
struct MobileNetV1Block {
  std::string_view name;
  std::int64_t channels;
  std::int64_t stride;
};

constexpr std::int64_t kMobileNetV1Stem = 32;
constexpr std::array<MobileNetV1Block, 13> kBlocks = {{{"conv2_1", 64, 1},
                                                       {"conv2_2", 128, 2},
                                                       {"conv3_1", 128, 1},
                                                       {"conv3_2", 256, 2},
                                                       {"conv4_1", 256, 1},
                                                       {"conv4_2", 512, 2},
                                                       {"conv5_1", 512, 1},
                                                       {"conv5_2", 512, 1},
                                                       {"conv5_3", 512, 1},
                                                       {"conv5_4", 512, 1},
                                                       {"conv5_5", 512, 1},
                                                       {"conv5_6", 1024, 2},
                                                       {"conv6", 1024, 1}}};

Flow conv_bn_relu(const Flow& input, ConvOptions options) {
  options.weight = options.name + "_weights";
  const std::string bn = options.name + "_bn";
  return input.conv(options)
      .batch_norm({.name = bn,
                   .scale = bn + "_scale",
                   .offset = bn + "_offset",
                   .mean = bn + "_mean",
                   .variance = bn + "_variance"})
      .relu();
}

}  // namespace

ir::Graph mobilenet_v1(const ZooOptions& options) {
  const auto scaled = [&](std::int64_t channels) {
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(static_cast<double>(channels) * options.scale));
  };
  Builder builder("MobileNetV1", options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  const std::int64_t stride = options.stem == Stem::Cifar ? 1 : 2;
  flow =
      conv_bn_relu(flow, {.name = "conv1", .channels = scaled(kMobileNetV1Stem), .stride = stride});
  for (const MobileNetV1Block& block : kBlocks) {
    const std::string name(block.name);
    flow = conv_bn_relu(flow, {.name = name + "_dw",
                               .channels = flow.channels(),
                               .stride = block.stride,
                               .groups = flow.channels()});
    flow = conv_bn_relu(flow,
                        {.name = name + "_sep", .channels = scaled(block.channels), .kernel = 1});
  }
  flow = flow.global_average_pool().flatten().gemm(
      {.name = "fc7", .outputs = options.classes, .weight = "fc7_weights", .bias = "fc7_offset"});
  return builder.finish(flow, "logits");
}

}  // namespace espalier::zoo
