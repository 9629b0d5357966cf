// The residual network of 6n + 2 layers for images of 32 x 32 pixels (He et al., CVPR 2016, section
// 4.2), n = 3: three stages of 16, 32 and 64 channels; a 1 x 1 projection where the shape changes.
#include <fmt/format.h>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

constexpr int kBlocksPerStage = 3;
constexpr std::int64_t kResNetCifarStem = 16;

Flow conv_bn(const Flow& input, const ConvOptions& options) {
  return input.conv(options).batch_norm({.name = options.name + "_bn"});
}

Flow residual_block(const Flow& input, const std::string& name, std::int64_t channels,
                    std::int64_t stride) {
  Flow flow = conv_bn(input, {.name = name + "_conv1", .channels = channels, .stride = stride});
  flow = conv_bn(flow.relu(), {.name = name + "_conv2", .channels = channels});
  Flow shortcut = input;
  if (input.channels() != channels || stride != 1) {
    shortcut = conv_bn(
        input, {.name = name + "_shortcut", .channels = channels, .kernel = 1, .stride = stride});
  }
  return flow.add(shortcut, name + "_add").relu();
}

}  // namespace

ir::Graph resnet20(const ZooOptions& options) {
  Builder builder("ResNet20", options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  flow = conv_bn(flow, {.name = "conv1", .channels = kResNetCifarStem}).relu();
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < kBlocksPerStage; ++block) {
      flow = residual_block(flow, fmt::format("stage{}_block{}", stage + 1, block + 1),
                            kResNetCifarStem << stage, stage > 0 && block == 0 ? 2 : 1);
    }
  }
  flow = flow.global_average_pool().flatten().gemm({.name = "head", .outputs = options.classes});
  return builder.finish(flow, "logits");
}

}  // namespace espalier::zoo
