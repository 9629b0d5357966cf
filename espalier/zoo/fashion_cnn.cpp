// A small network of convolution, BatchNorm and ReLU blocks for images of 28 x 28 pixels.
#include <fmt/format.h>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

Flow block(const Flow& input, const std::string& name, std::int64_t channels, std::int64_t stride) {
  return input.conv({.name = name, .channels = channels, .stride = stride})
      .batch_norm({.name = name + "_bn"})
      .relu();
}

}  // namespace

ir::Graph fashion_cnn(const ZooOptions& options) {
  Builder builder("FashionCNN", options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  flow = block(flow, "conv1", 32, 2);
  flow = block(flow, "conv2", 64, 1);
  flow = block(flow, "conv3", 96, 2);
  flow = block(flow, "conv4", 128, 1);
  flow = flow.global_average_pool().flatten().gemm({.name = "head", .outputs = options.classes});
  return builder.finish(flow, "logits");
}

}  // namespace espalier::zoo
