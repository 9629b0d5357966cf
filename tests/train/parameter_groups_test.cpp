#include "espalier/train/parameter_groups.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "espalier/zoo/builder.h"
#include "tests/kit/expect_error.h"

namespace espalier::train {
namespace {

using ::testing::ElementsAre;

ir::Graph model() {
  zoo::Builder builder("m", 1);
  return builder.finish(builder.image("x", 1, 4, 4)
                            .conv({.name = "conv", .channels = 2, .with_bias = true})
                            .batch_norm({.name = "bn"})
                            .flatten()
                            .gemm({.name = "fc", .outputs = 3}),
                        "y");
}

const std::vector<std::string> kParameters = {"bn.offset",   "bn.scale", "conv.bias",
                                              "conv.weight", "fc.bias",  "fc.weight"};

TEST(ParameterGroups, OneGroupWhenAllDecay) {
  const auto groups = group_parameters(model(), kParameters, {.weight_decay = 1e-4});
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].names, kParameters);
  EXPECT_EQ(groups[0].weight_decay, 1e-4);
  EXPECT_EQ(groups[0].lr_scale, 1.0);
}

TEST(ParameterGroups, LeavesOutNormsAndBiasesByTheirUse) {
  auto groups = group_parameters(
      model(), kParameters, {.weight_decay = 1e-4, .decay_norms = false, .decay_biases = false});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(groups[0].names, ElementsAre("bn.offset", "bn.scale", "conv.bias", "fc.bias"));
  EXPECT_EQ(groups[0].weight_decay, 0.0);
  EXPECT_THAT(groups[1].names, ElementsAre("conv.weight", "fc.weight"));
  groups = group_parameters(model(), kParameters, {.weight_decay = 1e-4, .decay_norms = false});
  EXPECT_THAT(groups[0].names, ElementsAre("bn.offset", "bn.scale"));
  groups = group_parameters(model(), kParameters, {.weight_decay = 1e-4, .decay_biases = false});
  EXPECT_THAT(groups[1].names, ElementsAre("conv.bias", "fc.bias"));
}

TEST(ParameterGroups, SeesThroughFakeQuantize) {
  ir::Graph graph = model();
  ir::Value& bias = *graph.find_value("fc.bias");
  ir::Node& user = *bias.uses().front().node;
  ir::Node& identity = graph.insert_before(user, {.op = "Identity", .inputs = {&bias}});
  graph.set_input(user, 2, identity.output());
  const auto groups =
      group_parameters(graph, kParameters, {.weight_decay = 1e-4, .decay_biases = false});
  EXPECT_THAT(groups[1].names, ElementsAre("conv.bias", "fc.bias"));
}

TEST(ParameterGroups, TheFirstMatchingRuleDecides) {
  const auto groups =
      group_parameters(model(), kParameters,
                       {.weight_decay = 1e-4,
                        .rules = {{.pattern = "fc.*", .weight_decay = 0.5, .lr_scale = 10},
                                  {.pattern = "*.weight", .weight_decay = 0.25, .lr_scale = 1}}});
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_THAT(groups[1].names, ElementsAre("conv.weight"));
  EXPECT_EQ(groups[1].weight_decay, 0.25);
  EXPECT_THAT(groups[2].names, ElementsAre("fc.bias", "fc.weight"));
  EXPECT_EQ(groups[2].lr_scale, 10.0);
}

TEST(ParameterGroups, ARuleLeavesOpenWhatItDoesNotSay) {
  const auto groups = group_parameters(
      model(), kParameters, {.weight_decay = 1e-4, .rules = {{.pattern = "fc.*", .lr_scale = 10}}});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(groups[1].names, ElementsAre("fc.bias", "fc.weight"));
  EXPECT_EQ(groups[1].weight_decay, 1e-4);
  EXPECT_EQ(groups[1].lr_scale, 10.0);
}

TEST(ParameterGroups, WhatQuantizersLearnGetsNoWeightDecayAndItsOwnRate) {
  ir::Graph graph = model();
  ir::Node& user = *graph.find_value("fc.weight")->uses().front().node;
  ir::Value& scale = graph.add_initializer("fc.weight_scale", at::full({}, 0.1F));
  ir::Value& zero = graph.add_initializer("fc.weight_zero", at::zeros({}));
  ir::Node& quantize =
      graph.insert_before(user, {.op = "FakeQuantize",
                                 .inputs = {graph.find_value("fc.weight"), &scale, &zero},
                                 .domain = std::string(ir::kEspalierDomain)});
  graph.set_input(user, 1, quantize.output());
  std::vector<std::string> names = kParameters;
  names.emplace_back("fc.weight_scale");
  auto groups = group_parameters(graph, names, {.weight_decay = 1e-4, .quantizer_lr_scale = 0.1});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].names, kParameters) << "a weight behind a quantizer is a weight";
  EXPECT_THAT(groups[1].names, ElementsAre("fc.weight_scale"));
  EXPECT_EQ(groups[1].weight_decay, 0.0);
  EXPECT_EQ(groups[1].lr_scale, 0.1);
  EXPECT_TRUE(groups[1].relative);
  EXPECT_FALSE(groups[0].relative);
  groups = group_parameters(
      graph, names, {.weight_decay = 1e-4, .rules = {{.pattern = "*_scale", .weight_decay = 0.5}}});
  EXPECT_EQ(groups[1].weight_decay, 0.5) << "a rule decides";
}

TEST(ParameterGroups, ClipValuesTakeRelativeStepsAndOffsetsDoNot) {
  for (const std::string estimator : {"pact", "lsq_plus"}) {
    ir::Graph graph = model();
    ir::Node& user = *graph.find_value("fc.weight")->uses().front().node;
    ir::Value& scale = graph.add_initializer("scale", at::full({}, 0.1F));
    ir::Value& zero = graph.add_initializer("zero", at::zeros({}));
    ir::Value& state = graph.add_initializer("state", at::full({1}, 1.0F));
    ir::Node& quantize =
        graph.insert_before(user, {.op = "FakeQuantize",
                                   .inputs = {user.input(0), &scale, &zero, &state},
                                   .attributes = {{"estimator", estimator}},
                                   .domain = std::string(ir::kEspalierDomain)});
    graph.set_input(user, 0, quantize.output());
    const auto groups = group_parameters(graph, {"state"}, {});
    ASSERT_EQ(groups.size(), 1U);
    EXPECT_EQ(groups[0].relative, estimator == "pact") << estimator;
    EXPECT_EQ(groups[0].weight_decay, 0);
  }
}

TEST(ParameterGroups, RefusesBadRules) {
  kit::expect_user_error(
      [] { (void)group_parameters(model(), kParameters, {.rules = {{.pattern = "fc.weigt"}}}); },
      "a parameter rule matches nothing: got 'fc.weigt' (did you mean 'fc.weight'");
  kit::expect_user_error([] { (void)group_parameters(model(), kParameters, {.weight_decay = -1}); },
                         "weight decay: got -1, expected a number of 0 or more");
  kit::expect_user_error(
      [] {
        (void)group_parameters(model(), kParameters,
                               {.rules = {{.pattern = "fc.*", .lr_scale = -1}}});
      },
      "learning rate scale of 'fc.*': got -1");
  kit::expect_user_error(
      [] { (void)group_parameters(model(), kParameters, {.quantizer_lr_scale = -1}); },
      "learning rate scale of quantizers: got -1");
}

}  // namespace
}  // namespace espalier::train
