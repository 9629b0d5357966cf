#include "espalier/passes/expose_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

constexpr std::string_view kExposeValuesText =
    "g (float[2] x, float[2] w) => (float[2] y) { sum = Add(x, w) y = Relu(sum) }";

TEST(ExposeValues, AppendsOutputs) {
  ir::Graph graph = passes_test::graph_of(kExposeValuesText);
  const std::vector<std::string> names{"sum", "y"};
  EXPECT_EQ(passes_test::apply(expose_values(names), graph), 1U);
  ASSERT_EQ(graph.outputs().size(), 2U);
  EXPECT_EQ(graph.outputs()[1]->name(), "sum");
}

TEST(ExposeValues, RefusesWhatNoNodeComputes) {
  for (const char* name : {"summ", "x", "w"}) {
    ir::Graph graph = passes_test::graph_of(kExposeValuesText);
    const std::vector<std::string> names{name};
    const std::string text =
        kit::expect_user_error([&] { passes_test::apply(expose_values(names), graph); },
                               "cannot make a value a graph output");
    EXPECT_THAT(text, testing::HasSubstr(std::string("got '") + name + "'"));
  }
}

}  // namespace
}  // namespace espalier::passes
