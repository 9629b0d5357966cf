#include "espalier/ops/einsum.h"

#include <gtest/gtest.h>

#include "tests/ops/one_node.h"

namespace espalier::ops {
namespace {

std::optional<EinsumEquation> read(const std::string& equation, std::size_t operands,
                                   const std::vector<std::int64_t>& first = {}) {
  OneNode one("Einsum", std::vector<std::optional<Tensor>>(operands), {{"equation", equation}});
  if (!first.empty()) one.type(0, tensor::make_shape(first));
  return einsum_equation(one.node());
}

TEST(Einsum, ReadsOneLetterAnAxis) {
  const auto product = read("nchw, dc -> ndhw", 2, {1, 2, 3, 4});
  ASSERT_TRUE(product);
  EXPECT_EQ(product->inputs, (std::vector<std::string>{"nchw", "dc"}));
  EXPECT_EQ(product->output, "ndhw");
  const auto total = read("ij->", 1);
  ASSERT_TRUE(total);
  EXPECT_EQ(total->output, "");
}

TEST(Einsum, SpellsTheEllipsisOut) {
  const auto product = read("nc...,cA->nA...", 2, {1, 2, 3, 4});
  ASSERT_TRUE(product);
  EXPECT_EQ(product->inputs, (std::vector<std::string>{"ncBC", "cA"}));
  EXPECT_EQ(product->output, "nABC");
  const auto none = read("i...,ij->j...", 2, {5});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->inputs, (std::vector<std::string>{"i", "ij"}));
  OneNode two("Einsum", {std::nullopt, std::nullopt}, {{"equation", "...ij,...jk->...ik"}});
  two.type(0, tensor::make_shape({2, 3, 4, 5}));
  two.type(1, tensor::make_shape({3, 5, 6}));
  const auto batched = einsum_equation(two.node());
  ASSERT_TRUE(batched);
  EXPECT_EQ(batched->inputs, (std::vector<std::string>{"ABij", "Bjk"}));
  EXPECT_EQ(batched->output, "ABik");
}

TEST(Einsum, WritesAnImplicitOutputDown) {
  EXPECT_EQ(read("kj,ji", 2)->output, "ik");
  EXPECT_EQ(read("ij,ij", 2)->output, "");
  EXPECT_EQ(read("b...a", 1, {2, 3, 4})->output, "Aab");
}

TEST(Einsum, LeavesOtherEquationsUnread) {
  EXPECT_FALSE(read("...i,ij->...j", 2)) << "an unknown rank";
  EXPECT_FALSE(read("...ij,jk->ik", 2, {2, 3, 4})) << "an ellipsis is summed";
  EXPECT_FALSE(read("...ijk->...", 1, {2, 3})) << "another rank";
  EXPECT_FALSE(read("..i->i", 1, {2}));
  EXPECT_FALSE(read("...i...->i", 1, {2}));
  EXPECT_FALSE(read("ii->i", 1)) << "a diagonal";
  EXPECT_FALSE(read("ij->ijj", 1));
  EXPECT_FALSE(read("ij,jk->ik", 3)) << "another number of operands";
  EXPECT_FALSE(read("ij,jk->ik", 2, {2, 3, 4})) << "another rank";
  EXPECT_FALSE(read("ij->ik", 1)) << "a letter that no operand has";
  EXPECT_FALSE(read("", 1));
}

}  // namespace
}  // namespace espalier::ops
