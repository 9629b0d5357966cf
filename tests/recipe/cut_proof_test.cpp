#include "espalier/recipe/cut_proof.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/text.h"

namespace espalier::recipe {
namespace {

using testing::HasSubstr;

/// A layer of three filters, something behind it, and a layer that reads them.
ir::Graph layers_around(std::string_view middle) {
  return onnx::parse(
      fmt::format("g (float[2,1,4,4] x) => (float[2,1,4,4] y)"
                  " <float[3,1,1,1] v = {{1, -2, 3}}, float[3,3,1,1] u = {{0.00001, 0, 0, 0, "
                  "0.00001, 0, 0, 0, 0.00001}}, float[1,3,1,1] w = {{1, 2, 3}}>"
                  " {{ a = Conv(x, v) {} y = Conv(b, w) }}",
                  middle));
}

prune::PrunePlan without_first(const std::string& initializer = "v") {
  return {.model_id = {},
          .criterion = {},
          .cuts = {{.group = "v", .initializer = initializer, .axis = 0, .removed = {0}}}};
}

TEST(CutProof, WhatIsProvenHasNoFailure) {
  const CutProof proof = prove_cut(layers_around("b = Relu(a)"), without_first(), {});
  EXPECT_EQ(proof.failure, "");
  ASSERT_TRUE(proof.check.has_value());
  EXPECT_TRUE(to_json(*proof.check).at("passed").as_bool());
}

TEST(CutProof, SaysWhatIsNotProven) {
  const CutProof proof =
      prove_cut(layers_around("b = Relu(a)"), without_first(), {.least_wrong = 1e9});
  EXPECT_THAT(proof.failure, HasSubstr("the cut is not proven: cut and masked model differ by "));
  EXPECT_FALSE(to_json(*proof.check).at("passed").as_bool());
}

TEST(CutProof, NamesAnOperandInWhichAWrongCutCouldHide) {
  const CutProof proof =
      prove_cut(layers_around("c = Conv(a, u) b = Add(a, c)"), without_first(), {.draw = false});
  EXPECT_THAT(proof.failure, HasSubstr("adds an operand of 0.00 % of the sum"));
}

TEST(CutProof, ANetworkWithoutNumbersIsNotChecked) {
  const CutProof proof = prove_cut(layers_around("b = Log(a)"), without_first(), {});
  EXPECT_THAT(proof.failure, HasSubstr("the network itself gives numbers that are not finite"));
}

TEST(CutProof, APlanOfAnotherGraphIsAFailure) {
  const CutProof proof = prove_cut(layers_around("b = Relu(a)"), without_first("nothing"), {});
  EXPECT_FALSE(proof.check.has_value());
  EXPECT_THAT(proof.failure, HasSubstr("the cut could not be checked: "));
  EXPECT_THAT(proof.failure, HasSubstr("'nothing'"));
}

}  // namespace
}  // namespace espalier::recipe
