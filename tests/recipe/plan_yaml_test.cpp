#include "espalier/recipe/plan_yaml.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/random.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

quant::QuantPlan some_plan() {
  quant::QuantPlan plan;
  plan.target = "x86";
  plan.model_id = "0123456789012345";
  plan.calibration = "512 of 50000 training images, seed 1: all";
  quant::ActivationPlan activation;
  activation.params = {.grid = {.bits = 8}, .scale = {0.1F}, .zero_point = {113}};
  activation.method = "mse";
  activation.low = -11.3;
  activation.high = 14.2;
  activation.observed_low = -1.0 / 3.0;
  activation.observed_high = 1e300;
  activation.sqnr_db = 41.25;
  activation.clipped = 1e-7;
  plan.activations["/layer1/Relu: output #1"] = activation;
  plan.activations["null"] = activation;
  plan.activations["007"] = activation;
  plan.edges = {
      {.node = "", .index = 0}, {.node = "conv", .index = 0}, {.node = "add", .index = 1}};
  quant::WeightPlan weight;
  weight.params = {.grid = {.bits = 8, .is_signed = true, .narrow = true, .reduced = true},
                   .scale = {1e-30F, std::numeric_limits<float>::min(), 3.4e38F},
                   .zero_point = {0, 0, 0},
                   .axis = 0};
  weight.channels_at_limit = 2;
  weight.rounding = {-1, 0, 1, 1, 1, 1, -1, -1, -1, 0, 0};
  plan.weights["w"] = weight;
  plan.biases["conv"] = "conv.bias";
  plan.bias_corrections["conv.bias"] = {0.1F, -1e-20F, 3.0F};
  plan.float_nodes = {
      {.node = "softmax", .op = "Softmax", .reason = "'x': it says \"no\""},
      {.node = "head", .op = "Gemm", .reason = "left out by 'head'", .asked = true}};
  return plan;
}

TEST(PlanYaml, ReadsBackTheSameBits) {
  const quant::QuantPlan plan = some_plan();
  const std::string text = print_plan(plan);
  EXPECT_EQ(parse_plan(text, "plan.yaml"), plan);
  EXPECT_EQ(print_plan(parse_plan(text, "plan.yaml")), text);
  EXPECT_EQ(parse_plan(print_plan({}), "plan.yaml"), quant::QuantPlan{});
}

TEST(PlanYaml, KeepsEveryFloat) {
  base::Random random(5);
  quant::QuantPlan plan;
  std::vector<float>& values = plan.bias_corrections["b"];
  for (int index = 0; index < 2000; ++index) {
    const double magnitude = random.uniform(-37, 37);
    values.push_back(static_cast<float>(random.normal() * std::pow(10.0, magnitude)));
  }
  EXPECT_EQ(parse_plan(print_plan(plan), "plan.yaml"), plan);
}

TEST(PlanYaml, KeepsRoundingsOfAnyLength) {
  base::Random random(6);
  for (std::size_t size = 1; size < 20; ++size) {
    quant::QuantPlan plan = some_plan();
    std::vector<std::int8_t>& rounding = plan.weights["w"].rounding;
    rounding.clear();
    for (std::size_t index = 0; index < size; ++index) {
      rounding.push_back(static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1));
    }
    EXPECT_EQ(parse_plan(print_plan(plan), "plan.yaml"), plan) << size;
  }
}

TEST(PlanYaml, IsReadFromAFile) {
  const kit::TemporaryFolder folder;
  EXPECT_EQ(load_plan(folder.write("plan.yaml", print_plan(some_plan()))), some_plan());
  kit::expect_user_error([&] { (void)load_plan(folder.file("missing.yaml")); }, "missing.yaml");
}

/// The text of a plan with one piece replaced.
std::string with(std::string_view before, std::string_view after) {
  std::string text = print_plan(some_plan());
  const std::size_t place = text.find(before);
  EXPECT_NE(place, std::string::npos) << before;
  return place == std::string::npos ? text : text.replace(place, before.size(), after);
}

void refused(const std::string& text, std::string_view expected) {
  const std::string message =
      kit::expect_user_error([&] { (void)parse_plan(text, "plan.yaml"); }, expected);
  EXPECT_THAT(message, testing::HasSubstr("plan.yaml"));
}

TEST(PlanYaml, RefusesUnknownKeysWithASuggestion) {
  refused(with("biases:", "bias:"), "did you mean 'biases'");
  refused(with("observed_low:", "observed_lwo:"), "did you mean 'observed_low'");
  refused(with("signed:", "singed:"), "did you mean 'signed'");
}

TEST(PlanYaml, RefusesValuesThatAreNotSound) {
  refused(with("version: 1", "version: 2"), "version");
  refused(with("bits: 8", "bits: 80"), "bits");
  refused(with("scale: [0.1]", "scale: [-0.1]"), "a positive normal float32");
  refused(with("scale: [0.1]", "scale: [1e60]"), "a positive normal float32");
  refused(with("scale: [0.1]", "scale: []"), "no scale");
  refused(with("scale: [0.1]", "scale: [0.1, 0.2]"), "2 scales and 1 zero points");
  refused(with("zero_point: [113]", "zero_point: [256]"), "zero point 256");
  refused(with("zero_point: [113]", "zero_point: 5"), "a list of integers");
  refused(with("clipped: 1e-07", "clipped: 2"), "clipped");
  refused(with("elements: 11", "elements: 30"), "one letter for three of 30 elements");
  refused(with("- output: 0", "- output: 0\n    node: \"conv\""), "or 'output' alone");
}

TEST(PlanYaml, RefusesOtherDocuments) {
  refused("just text", "the quantization plan");
  refused("version: 1\nactivations: 3\n", "a list of maps");
  refused("version: 1\nedges: [1, 2]\n", "an entry of 'edges'");
  refused("{", "plan.yaml");
}

TEST(PlanYaml, RefusesAValueThatIsListedTwice) {
  const std::string text = with("value: \"null\"", "value: \"007\"");
  refused(text, "listed twice in 'activations'");
}

TEST(PlanYaml, APlanThatWasCutOffIsRefused) {
  const std::string text = print_plan(some_plan());
  for (const char* key :
       {"activations:", "edges:", "weights:", "biases:", "bias_corrections:", "float_nodes:"}) {
    const std::size_t place = text.find(std::string("\n") + key);
    ASSERT_NE(place, std::string::npos) << key;
    const std::string name(key, std::string_view(key).size() - 1);
    refused(text.substr(0, place + 1), "lacks the key '" + name + "'");
    refused(text.substr(0, place + 1) + key + "\n", "lacks the key '" + name + "'");
  }
}

TEST(PlanYaml, TargetsAreKnownAndScalesAreNormalNumbers) {
  refused(with("target: x86", "target: foo"), "'foo'");
  quant::QuantPlan plan = some_plan();
  plan.activations.begin()->second.params.scale = {1e-45F};
  refused(print_plan(plan), "expected a positive normal float32");
}

}  // namespace
}  // namespace espalier::recipe
