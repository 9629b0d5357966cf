#include "espalier/passes/convert_to_int8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/passes/freeze_weights.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes {
namespace {

using passes_test::apply;

constexpr std::string_view kConvertToInt8Text =
    "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,4,4] y)"
    " { [conv] y = Conv(x, w, b) }";

TEST(ConvertToInt8, StoresFrozenWeightsAsBytes) {
  ir::Graph graph = passes_test::graph_of(kConvertToInt8Text);
  apply(insert_fake_quantize(passes_test::plan_for(graph, {.values = {"x"}})), graph);
  apply(freeze_weights(), graph);
  const ir::Graph frozen = graph.clone();
  EXPECT_EQ(apply(convert_to_int8(), graph), 1U);
  EXPECT_THAT(kit::to_text(graph),
              testing::HasSubstr("w_frozen_float = Cast(w_frozen.int8) [w_frozen_cast]"));
  EXPECT_EQ(graph.find_value("w_frozen.int8")->constant().scalar_type(), at::kChar);
  EXPECT_EQ(graph.find_value("w_frozen"), nullptr);
  const Tensor input = kit::random_tensor({2, 3, 6, 6}, 3);
  EXPECT_THAT(passes_test::run_on(graph, {input}).at(0),
              kit::HasSameBits(passes_test::run_on(frozen, {input}).at(0)));
}

TEST(ConvertToInt8, RefusesGraphsThatAreNotFrozen) {
  ir::Graph graph = passes_test::graph_of(kConvertToInt8Text);
  kit::expect_user_error([&] { apply(convert_to_int8(), graph); },
                         "got no frozen weight whose integers fit in a byte");
}

}  // namespace
}  // namespace espalier::passes
