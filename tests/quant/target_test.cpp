#include "espalier/quant/target.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/ops/facts.h"
#include "tests/kit/expect_error.h"

namespace espalier::quant {
namespace {

TEST(Target, TableHoldsTheDocumentedNames) {
  EXPECT_THAT(target_names(),
              testing::ElementsAre("x86", "onnxruntime", "openvino", "tensorrt", "generic"));
}

TEST(Target, UnknownNameIsRefusedWithASuggestion) {
  kit::expect_user_error([] { (void)find_target("openvin"); }, "did you mean 'openvino'");
}

TEST(Target, RulesAreInheritedAndReplaced) {
  const Target& x86 = find_target("x86");
  EXPECT_EQ(x86.base, "onnxruntime");
  EXPECT_EQ(find_rule(x86, "Conv")->treatment, Treatment::Weighted);
  EXPECT_EQ(find_rule(x86, "Concat")->treatment, Treatment::SharedScale);
  EXPECT_EQ(find_rule(find_target("onnxruntime"), "Concat")->treatment, Treatment::Quantized);
  EXPECT_EQ(find_rule(x86, "NoSuchOperator"), nullptr);
}

TEST(Target, TablesAreSound) {
  for (const Target& target : targets()) {
    SCOPED_TRACE(target.name);
    std::set<std::string_view> seen;
    for (const OpRule& rule : target.rules) {
      EXPECT_TRUE(seen.insert(rule.op).second) << rule.op << " has two rows";
      EXPECT_NE(ops::find(rule.op), nullptr) << rule.op << " is no operator";
      const bool explains = rule.treatment == Treatment::Float ||
                            rule.condition == Condition::Image ||
                            rule.condition == Condition::WeightBehind;
      EXPECT_EQ(explains, !rule.reason.empty()) << rule.op;
    }
    EXPECT_TRUE(target.base.empty() || find_target(target.base).name == target.base);
    const Formats& row = formats(target);
    EXPECT_TRUE(row.weights.is_signed);
    EXPECT_TRUE(row.weights.narrow);
    EXPECT_TRUE(row.reduced_weights.reduced);
  }
}

TEST(Target, FormatsFollowTheEngines) {
  for (const std::string_view name : {"x86", "onnxruntime", "openvino"}) {
    EXPECT_FALSE(formats(find_target(name)).activations.is_signed) << name;
    EXPECT_FALSE(formats(find_target(name)).symmetric_activations) << name;
    EXPECT_TRUE(formats(find_target(name)).quantized_bias) << name;
  }
  for (const std::string_view name : {"tensorrt", "generic"}) {
    EXPECT_TRUE(formats(find_target(name)).activations.is_signed) << name;
    EXPECT_TRUE(formats(find_target(name)).symmetric_activations) << name;
    EXPECT_FALSE(formats(find_target(name)).quantized_bias) << name;
  }
}

}  // namespace
}  // namespace espalier::quant
