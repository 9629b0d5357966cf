// A small network of convolution, BatchNorm and ReLU blocks for images of 28 x 28 pixels.
#include <fmt/format.h>

#include "espalier/zoo/builder.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

Flow block(const Flow& input, const ConvOptions& conv) {
  return input.conv(conv).batch_norm({.name = conv.name + "_bn"}).relu();
}

}  // namespace

ir::Graph fashion_cnn(const ZooOptions& options) {
  Builder builder("FashionCNN", options.seed);
  Flow flow = builder.image("image", options.channels, options.image_size, options.image_size);
  // Nothing runs at full size, where a layer of one input channel costs more than it computes: what
  // is left is wide enough that integers pay, and cheap to train.
  flow = block(flow, {.name = "conv1", .channels = 32, .kernel = 5, .stride = 2});
  flow = block(flow, {.name = "conv2", .channels = 64}).max_pool({});
  flow = block(flow, {.name = "conv3", .channels = 128}).max_pool({});
  flow = block(flow, {.name = "conv4", .channels = 192});
  flow = flow.global_average_pool().flatten().gemm({.name = "head", .outputs = options.classes});
  return builder.finish(flow, "logits");
}

}  // namespace espalier::zoo
