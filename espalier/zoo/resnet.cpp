// Residual networks for 224 x 224 images (He et al., CVPR 2016) as PaddleClas builds them: the
// first block of every stage has a projection shortcut, also stage 1 of the basic form; in a
// bottleneck the stride sits on the 3 x 3 convolution (v1.5). Names are PaddleClas's.
#include <array>

#include <fmt/format.h>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

/// A depth of the family.
struct Depth {
  std::string_view name;
  std::array<int, 4> blocks;
  bool bottleneck;
};

constexpr std::int64_t kBottleneckExpansion = 4;
constexpr std::int64_t kResNetStem = 64;

std::string bn_name(const std::string& conv) {
  return conv == "conv1" ? "bn_conv1" : "bn" + conv.substr(3);
}

Flow resnet_conv(const Flow& input, ConvOptions options) {
  options.weight = options.name + "_weights";
  const std::string bn = bn_name(options.name);
  return input.conv(options).batch_norm({.name = bn,
                                         .scale = bn + "_scale",
                                         .offset = bn + "_offset",
                                         .mean = bn + "_mean",
                                         .variance = bn + "_variance"});
}

/// `name` is "res2a" and so on; `width` the channels of its inner convolutions.
Flow residual_block(const Flow& input, const std::string& name, const Depth& depth,
                    std::int64_t width, std::int64_t stride, bool first) {
  const std::int64_t channels = depth.bottleneck ? width * kBottleneckExpansion : width;
  Flow flow = input;
  if (depth.bottleneck) {
    flow = resnet_conv(flow, {.name = name + "_branch2a", .channels = width, .kernel = 1}).relu();
    flow =
        resnet_conv(flow, {.name = name + "_branch2b", .channels = width, .stride = stride}).relu();
    flow = resnet_conv(flow, {.name = name + "_branch2c", .channels = channels, .kernel = 1});
  } else {
    flow =
        resnet_conv(flow, {.name = name + "_branch2a", .channels = width, .stride = stride}).relu();
    flow = resnet_conv(flow, {.name = name + "_branch2b", .channels = width});
  }
  Flow shortcut = input;
  if (first) {
    shortcut = resnet_conv(
        input, {.name = name + "_branch1", .channels = channels, .kernel = 1, .stride = stride});
  }
  return shortcut.add(flow, name + "_add").relu();
}

ir::Graph resnet(const Depth& depth, const ZooOptions& options) {
  Builder builder(std::string(depth.name), options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  if (options.stem == Stem::Cifar) {
    flow = resnet_conv(flow, {.name = "conv1", .channels = kResNetStem}).relu();
  } else {
    flow = resnet_conv(flow, {.name = "conv1", .channels = kResNetStem, .kernel = 7, .stride = 2})
               .relu();
    flow = flow.max_pool({.kernel = 3, .stride = 2, .padding = 1, .name = "pool1"});
  }
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < depth.blocks[static_cast<std::size_t>(stage)]; ++block) {
      const bool first = block == 0;
      const std::string name = fmt::format("res{}{}", stage + 2, static_cast<char>('a' + block));
      flow = residual_block(flow, name, depth, kResNetStem << stage, first && stage > 0 ? 2 : 1,
                            first);
    }
  }
  flow = flow.global_average_pool().flatten().gemm(
      {.name = "fc_0", .outputs = options.classes, .weight = "fc_0.w_0", .bias = "fc_0.b_0"});
  return builder.finish(flow, "logits");
}

}  // namespace

ir::Graph resnet18(const ZooOptions& options) {
  return resnet({.name = "ResNet18", .blocks = {2, 2, 2, 2}, .bottleneck = false}, options);
}

ir::Graph resnet34(const ZooOptions& options) {
  return resnet({.name = "ResNet34", .blocks = {3, 4, 6, 3}, .bottleneck = false}, options);
}

ir::Graph resnet50(const ZooOptions& options) {
  return resnet({.name = "ResNet50", .blocks = {3, 4, 6, 3}, .bottleneck = true}, options);
}

}  // namespace espalier::zoo
