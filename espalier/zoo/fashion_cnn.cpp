// A small network of convolution, BatchNorm and ReLU blocks for images of 28 x 28 pixels.
#include <fmt/format.h>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

Flow block(const Flow& input, const std::string& name, std::int64_t channels) {
  return input.conv({.name = name, .channels = channels}).batch_norm({.name = name + "_bn"}).relu();
}

}  // namespace

ir::Graph fashion_cnn(const ZooOptions& options) {
  Builder builder("FashionCNN", options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  // Most multiply-accumulates lie at 14 x 14 and 7 x 7, most parameters at 3 x 3: cheap to train.
  flow = block(flow, "conv1", 32).max_pool({});
  flow = block(flow, "conv2", 64).max_pool({});
  flow = block(flow, "conv3", 96).max_pool({});
  flow = block(flow, "conv4", 256);
  flow = flow.global_average_pool().flatten().gemm({.name = "head", .outputs = options.classes});
  return builder.finish(flow, "logits");
}

}  // namespace espalier::zoo
