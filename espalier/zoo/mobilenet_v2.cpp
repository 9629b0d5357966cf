// MobileNetV2 (Sandler et al., CVPR 2018) with the layer names that PaddleClas uses: ReLU6,
// inverted residual blocks with linear bottlenecks. The expansion exists in the first block too,
// where its factor is 1, and a group's first block has no shortcut.
#include <array>

#include <fmt/format.h>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

/// Blocks of one width.
struct Group {
  std::string_view name;
  std::int64_t expansion;
  std::int64_t channels;  ///< at scale 1
  int blocks;
  std::int64_t stride;  ///< of the first block
};

constexpr std::int64_t kMobileNetV2Stem = 32;
constexpr std::int64_t kLast = 1280;
constexpr std::array<Group, 7> kGroups = {{{"conv2", 1, 16, 1, 1},
                                           {"conv3", 6, 24, 2, 2},
                                           {"conv4", 6, 32, 3, 2},
                                           {"conv5", 6, 64, 4, 2},
                                           {"conv6", 6, 96, 3, 1},
                                           {"conv7", 6, 160, 3, 2},
                                           {"conv8", 6, 320, 1, 1}}};
/// The group whose stride the CIFAR form leaves out beside the stem's.
constexpr std::string_view kGentleGroup = "conv3";

Flow linear_conv(const Flow& input, ConvOptions options) {
  options.weight = options.name + "_weights";
  const std::string bn = options.name + "_bn";
  return input.conv(options).batch_norm({.name = bn,
                                         .scale = bn + "_scale",
                                         .offset = bn + "_offset",
                                         .mean = bn + "_mean",
                                         .variance = bn + "_variance"});
}

/// A block of `channels` outputs; with `shortcut` the input is added to them.
struct Block {
  std::string name;
  std::int64_t expansion;
  std::int64_t channels;
  std::int64_t stride;
  bool shortcut;
};

Flow inverted_residual(const Flow& input, const Block& block) {
  const std::int64_t width = input.channels() * block.expansion;
  Flow flow = linear_conv(input, {.name = block.name + "_expand", .channels = width, .kernel = 1});
  flow = linear_conv(
      flow.relu6(),
      {.name = block.name + "_dwise", .channels = width, .stride = block.stride, .groups = width});
  flow = linear_conv(flow.relu6(),
                     {.name = block.name + "_linear", .channels = block.channels, .kernel = 1});
  return block.shortcut ? input.add(flow, block.name + "_add") : flow;
}

}  // namespace

ir::Graph mobilenet_v2(const ZooOptions& options) {
  const auto scaled = [&](std::int64_t channels) {
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(static_cast<double>(channels) * options.scale));
  };
  const bool cifar = options.stem == Stem::Cifar;
  Builder builder("MobileNetV2", options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  flow =
      linear_conv(
          flow, {.name = "conv1_1", .channels = scaled(kMobileNetV2Stem), .stride = cifar ? 1 : 2})
          .relu6();
  for (const Group& group : kGroups) {
    const bool gentle = cifar && group.name == kGentleGroup;
    for (int index = 0; index < group.blocks; ++index) {
      const bool first = index == 0;
      flow = inverted_residual(flow, {.name = fmt::format("{}_{}", group.name, index + 1),
                                      .expansion = group.expansion,
                                      .channels = scaled(group.channels),
                                      .stride = first && !gentle ? group.stride : 1,
                                      .shortcut = !first});
    }
  }
  const std::int64_t last = options.scale > 1 ? scaled(kLast) : kLast;
  flow = linear_conv(flow, {.name = "conv9", .channels = last, .kernel = 1}).relu6();
  flow = flow.global_average_pool().flatten().gemm({.name = "fc10",
                                                    .outputs = options.classes,
                                                    .weight = "fc10_weights",
                                                    .bias = "fc10_offset"});
  return builder.finish(flow, "logits");
}

}  // namespace espalier::zoo
