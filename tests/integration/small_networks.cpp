#include "tests/integration/small_networks.h"

#include <array>

#include "tests/integration/net_maker.h"

namespace espalier::prune_test {
namespace {

Wire classify(NetMaker& net, const Wire& features, std::int64_t classes = 5) {
  return net.gemm(net.flatten(net.global_average_pool(features)), classes);
}

ir::Graph finish(NetMaker& net, const Wire& logits) {
  net.output(logits);
  return net.finish();
}

ir::Graph plain() {
  NetMaker net(1);
  const Wire first = net.max_pool(net.conv_bn_relu(net.image(3), {.filters = 8}));
  const Wire second = net.relu(net.conv(first, {.filters = 12}));
  return finish(net, net.gemm(net.relu(net.gemm(net.flatten(second), 16)), 5));
}

Wire basic_block(NetMaker& net, const Wire& input, std::int64_t filters, std::int64_t stride) {
  const Wire inner = net.conv_bn_relu(input, {.filters = filters, .stride = stride});
  const Wire branch = net.batch_norm(net.conv(inner, {.filters = filters}));
  const bool projects = stride != 1 || input.channels() != filters;
  const Wire shortcut =
      projects
          ? net.batch_norm(net.conv(input, {.filters = filters, .kernel = 1, .stride = stride}))
          : input;
  return net.relu(net.add(branch, shortcut));
}

ir::Graph residual() {
  NetMaker net(2);
  Wire wire = net.conv_bn_relu(net.image(3), {.filters = 8});
  wire = basic_block(net, wire, 8, 1);
  wire = basic_block(net, wire, 16, 2);
  wire = basic_block(net, wire, 16, 1);
  return finish(net, classify(net, wire));
}

ir::Graph bottleneck() {
  NetMaker net(3);
  Wire wire = net.conv(net.image(3), {.filters = 16});
  for (int block = 0; block < 2; ++block) {
    const Wire active = net.relu(net.batch_norm(wire));
    const Wire inner = net.conv_bn_relu(active, {.filters = 8, .kernel = 1});
    const Wire middle = net.conv_bn_relu(inner, {.filters = 8});
    wire = net.add(wire, net.conv(middle, {.filters = 16, .kernel = 1}));
  }
  return finish(net, classify(net, net.relu(net.batch_norm(wire))));
}

/// The parameter-free shortcut of ResNets for CIFAR: a border of zero channels.
ir::Graph padded_shortcut() {
  NetMaker net(4);
  const Wire wire = net.conv_bn_relu(net.image(3), {.filters = 8});
  const Wire branch = net.conv(net.conv_bn_relu(wire, {.filters = 16}), {.filters = 16});
  const Wire sum = net.relu(net.add(branch, net.pad_channels(wire, 4, 4)));
  return finish(net, classify(net, sum));
}

ir::Graph inverted_residual() {
  NetMaker net(5);
  Wire wire = net.conv_bn_relu(net.image(3), {.filters = 8});
  for (int block = 0; block < 2; ++block) {
    const Wire wide = net.conv_bn_relu(wire, {.filters = 24, .kernel = 1});
    const Wire deep = net.relu(net.batch_norm(net.depthwise(wide)));
    wire = net.add(wire, net.batch_norm(net.conv(deep, {.filters = 8, .kernel = 1})));
  }
  return finish(net, classify(net, wire));
}

ir::Graph squeeze_excite() {
  NetMaker net(6);
  const Wire wire = net.unary("HardSwish", net.batch_norm(net.conv(net.image(3), {.filters = 8})));
  const Wire wide = net.unary("HardSwish", net.conv(wire, {.filters = 16, .kernel = 1}));
  const Wire gated = net.squeeze_excite(net.depthwise(wide), 6);
  const Wire sum = net.add(wire, net.conv(gated, {.filters = 8, .kernel = 1}));
  return finish(net, classify(net, sum));
}

/// More groups than channels in one: whole groups go.
ir::Graph many_groups() {
  NetMaker net(7);
  Wire wire = net.conv_bn_relu(net.image(3), {.filters = 12});
  const Wire inner = net.conv_bn_relu(wire, {.filters = 16, .kernel = 1});
  const Wire middle = net.conv_bn_relu(inner, {.filters = 16, .groups = 8});
  wire = net.relu(net.add(wire, net.conv(middle, {.filters = 12, .kernel = 1})));
  return finish(net, classify(net, wire));
}

/// Fewer groups than channels in one: every group loses the same places.
ir::Graph few_groups() {
  NetMaker net(8);
  const Wire wire = net.conv_bn_relu(net.image(3), {.filters = 12});
  const Wire middle = net.conv_bn_relu(wire, {.filters = 18, .groups = 2});
  const Wire up = net.relu(net.conv_transpose(middle, 12, 2));
  return finish(net, classify(net, up));
}

ir::Graph dense() {
  NetMaker net(9);
  Wire wire = net.conv(net.image(3), {.filters = 8});
  for (int layer = 0; layer < 3; ++layer) {
    const Wire inner = net.conv(net.relu(net.batch_norm(wire)), {.filters = 8, .kernel = 1});
    const Wire grown = net.conv(net.relu(net.batch_norm(inner)), {.filters = 4});
    wire = net.concat({wire, grown});
  }
  const Wire narrow = net.conv(net.relu(net.batch_norm(wire)), {.filters = 10, .kernel = 1});
  return finish(net, classify(net, net.max_pool(narrow)));
}

ir::Graph shuffled() {
  NetMaker net(10);
  Wire wire = net.conv_bn_relu(net.image(3), {.filters = 16});
  for (int block = 0; block < 3; ++block) {
    const std::vector<Wire> halves = net.split(wire, {8, 8});
    const Wire inner = net.conv_bn_relu(halves[1], {.filters = 8, .kernel = 1});
    const Wire deep = net.batch_norm(net.depthwise(inner));
    const Wire right = net.conv_bn_relu(deep, {.filters = 8, .kernel = 1});
    wire = net.shuffle(net.concat({halves[0], right}), 2);
  }
  return finish(net, classify(net, net.conv_bn_relu(wire, {.filters = 20, .kernel = 1})));
}

ir::Graph inception() {
  NetMaker net(11);
  const Wire wire = net.conv_bn_relu(net.image(3), {.filters = 8});
  const Wire one = net.conv_bn_relu(wire, {.filters = 6, .kernel = 1});
  const Wire two =
      net.conv_bn_relu(net.conv_bn_relu(wire, {.filters = 4, .kernel = 1}), {.filters = 8});
  const Wire three = net.conv_bn_relu(wire, {.filters = 4, .kernel = 5});
  const Wire joined = net.concat({one, two, three, wire});
  return finish(net, net.gemm(net.flatten(net.max_pool(joined)), 5));
}

ir::Graph encoder_decoder() {
  NetMaker net(12);
  const Wire fine = net.conv_bn_relu(net.image(3), {.filters = 8});
  const Wire coarse = net.conv_bn_relu(net.max_pool(fine), {.filters = 16});
  const Wire deep = net.conv_bn_relu(net.max_pool(coarse), {.filters = 24});
  const Wire up =
      net.conv_bn_relu(net.concat({coarse, net.conv_transpose(deep, 16)}), {.filters = 16});
  const Wire out = net.conv_bn_relu(net.concat({fine, net.upsample(up)}), {.filters = 8});
  return finish(net, net.conv(out, {.filters = 3, .kernel = 1}));
}

ir::Graph pixel_shuffle() {
  NetMaker net(13);
  const Wire blocks = net.space_to_depth(net.conv(net.image(3), {.filters = 6}));
  const Wire wire = net.relu(net.conv(blocks, {.filters = 12}));
  const Wire up = net.relu(net.depth_to_space(net.conv(wire, {.filters = 24})));
  const Wire last = net.depth_to_space(net.conv(up, {.filters = 16}), "CRD");
  return finish(net, net.conv(last, {.filters = 3}));
}

/// ConvNeXt: the trunk is normalized over its channels, the inner layers can be cut.
ir::Graph layer_normalized() {
  NetMaker net(14);
  const Wire wire = net.conv(net.image(3), {.filters = 12});
  const Wire last = net.layer_norm(net.transpose(net.depthwise(wire), {0, 2, 3, 1}));
  const Wire wide = net.add(net.linear(last, 24), net.constant({24}));
  const Wire narrow = net.add(net.linear(net.unary("Erf", wide), 12), net.constant({12}));
  const Wire scaled = net.transpose(net.mul(narrow, net.constant({12})), {0, 3, 1, 2});
  return finish(net, classify(net, net.add(wire, scaled)));
}

ir::Graph multi_resolution() {
  NetMaker net(15);
  const Wire fine = net.conv_bn_relu(net.image(3), {.filters = 8});
  const Wire coarse = net.conv_bn_relu(fine, {.filters = 16, .stride = 2});
  const Wire fine_inner = net.conv_bn_relu(fine, {.filters = 8});
  const Wire coarse_inner = net.conv_bn_relu(coarse, {.filters = 16});
  const Wire down = net.conv(fine_inner, {.filters = 16, .stride = 2});
  const Wire up = net.upsample(net.conv(coarse_inner, {.filters = 8, .kernel = 1}));
  const Wire fused_fine = net.relu(net.add(net.add(fine, fine_inner), up));
  const Wire fused_coarse = net.relu(net.add(net.add(coarse, coarse_inner), down));
  return finish(net, net.conv(net.concat({fused_fine, net.upsample(fused_coarse)}),
                              {.filters = 4, .kernel = 1}));
}

/// Res2Net: parts of the channels pass through layers one after another.
ir::Graph hierarchical_split() {
  NetMaker net(16);
  const Wire wire = net.conv_bn_relu(net.image(3), {.filters = 16});
  const std::vector<Wire> parts =
      net.split(net.conv_bn_relu(wire, {.filters = 12, .kernel = 1}), {4, 4, 4});
  const Wire second = net.conv_bn_relu(parts[1], {.filters = 4});
  const Wire third = net.conv_bn_relu(net.add(second, parts[2]), {.filters = 4});
  const Wire joined = net.concat({parts[0], second, third});
  const Wire sum = net.add(wire, net.conv(joined, {.filters = 16, .kernel = 1}));
  return finish(net, classify(net, sum));
}

/// GhostNet: half of the channels are cheap images of the others, surplus ones sliced away.
ir::Graph ghost() {
  NetMaker net(17);
  Wire wire = net.conv_bn_relu(net.image(3), {.filters = 8});
  const Wire primary = net.conv_bn_relu(wire, {.filters = 7, .kernel = 1});
  const Wire joined = net.concat({primary, net.batch_norm(net.depthwise(primary))});
  const Wire ghosts = net.slice(joined, 0, 12);
  const Wire deep = net.depthwise(ghosts, 2);
  wire = net.add(wire, net.conv(deep, {.filters = 8, .kernel = 1}));
  return finish(net, classify(net, wire));
}

/// Position attention of segmentation networks, and self-attention with heads.
ir::Graph attention() {
  NetMaker net(18);
  const Wire wire = net.conv_bn_relu(net.image(3, 4), {.filters = 12});
  const Wire query = net.reshape(net.conv(wire, {.filters = 6, .kernel = 1}), {6, 16});
  const Wire key = net.reshape(net.conv(wire, {.filters = 6, .kernel = 1}), {6, 16});
  const Wire value = net.reshape(net.conv(wire, {.filters = 12, .kernel = 1}), {12, 16});
  const Wire map = net.unary("Softmax", net.mat_mul(net.transpose(query, {0, 2, 1}), key));
  const Wire mixed = net.mat_mul(value, net.transpose(map, {0, 2, 1}));
  const Wire summed = net.add(wire, net.reshape(mixed, {12, 4, 4}));
  const Wire tokens = net.transpose(net.reshape(summed, {12, 16}), {0, 2, 1});
  const auto heads = [&](std::int64_t size) {
    return net.transpose(net.reshape(net.linear(tokens, 2 * size), {16, 2, size}), {0, 2, 1, 3});
  };
  const Wire scores = net.mat_mul(heads(5), net.transpose(heads(5), {0, 1, 3, 2}));
  const Wire read = net.mat_mul(net.unary("Softmax", scores), heads(4));
  const Wire joined = net.reshape(net.transpose(read, {0, 2, 1, 3}), {16, 8});
  const Wire out = net.add(tokens, net.linear(joined, 12));
  return finish(net, net.gemm(net.flatten(out), 5));
}

/// Two inputs through the same weights, two outputs.
ir::Graph shared_weights() {
  NetMaker net(19);
  const Wire left = net.conv(net.image(3, 8, "left"), {.filters = 8, .bias = false});
  const Wire right = net.conv_sharing(net.image(3, 8, "right"), left);
  const Wire difference = net.unary("Abs", net.binary("Sub", net.relu(left), net.relu(right)));
  net.output(classify(net, net.conv_bn_relu(difference, {.filters = 10})));
  const Wire joined = net.concat({left, right});
  return finish(net, net.conv(net.conv_bn_relu(joined, {.filters = 6}), {.filters = 2}));
}

/// A context module: pooled features tiled and normalized in groups.
ir::Graph context() {
  NetMaker net(20);
  const Wire wire = net.conv_bn_relu(net.image(3), {.filters = 12});
  const Wire pooled = net.conv(net.global_average_pool(wire), {.filters = 6, .kernel = 1});
  const Wire spread = net.mul(net.conv(wire, {.filters = 6, .kernel = 1}), pooled);
  const Wire normalized = net.relu(net.group_norm(net.conv(wire, {.filters = 12}), 4));
  const Wire tiled = net.tile_channels(net.conv(wire, {.filters = 3, .kernel = 1}), 2);
  const Wire joined = net.concat({net.add(spread, tiled), normalized});
  return finish(net, net.conv(joined, {.filters = 4}));
}

/// Channels picked with a stride, backwards and by a list.
ir::Graph picked() {
  NetMaker net(21);
  const Wire wire = net.conv_bn_relu(net.image(3), {.filters = 12});
  const Wire even = net.conv(net.slice(wire, 0, 12, 2), {.filters = 6});
  const Wire back = net.slice(wire, 11, 5, -1);
  const Wire listed = net.gather(wire, {7, 0, 3, 11, 2, 5});
  const Wire sum = net.relu(net.add(even, net.add(back, listed)));
  return finish(net, classify(net, net.conv_bn_relu(sum, {.filters = 8})));
}

constexpr std::array kNetworks{
    SmallNetwork{"plain", plain, 3},
    SmallNetwork{"residual", residual, 5},
    SmallNetwork{"bottleneck", bottleneck, 5},
    SmallNetwork{"padded_shortcut", padded_shortcut, 3},
    SmallNetwork{"inverted_residual", inverted_residual, 3},
    SmallNetwork{"squeeze_excite", squeeze_excite, 3},
    SmallNetwork{"many_groups", many_groups, 2},
    SmallNetwork{"few_groups", few_groups, 3},
    SmallNetwork{"dense", dense, 8},
    SmallNetwork{"shuffled", shuffled, 7},
    SmallNetwork{"inception", inception, 5},
    SmallNetwork{"encoder_decoder", encoder_decoder, 6},
    SmallNetwork{"pixel_shuffle", pixel_shuffle, 4},
    SmallNetwork{"layer_normalized", layer_normalized, 1},
    SmallNetwork{"multi_resolution", multi_resolution, 2},
    SmallNetwork{"hierarchical_split", hierarchical_split, 5},
    SmallNetwork{"ghost", ghost, 2},
    SmallNetwork{"attention", attention, 4},
    SmallNetwork{"shared_weights", shared_weights, 3},
    SmallNetwork{"context", context, 3},
    SmallNetwork{"picked", picked, 2},
};

}  // namespace

std::span<const SmallNetwork> small_networks() {
  return kNetworks;
}

}  // namespace espalier::prune_test
