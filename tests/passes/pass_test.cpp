#include "espalier/passes/pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

constexpr std::string_view kPassText = "g (float[2] x) => (float[2] y) { y = Relu(x) }";

Pass counting(std::string name, std::size_t& count, std::size_t changes) {
  return {.name = std::move(name), .apply = [&count, changes](ir::Graph&) {
            ++count;
            return changes;
          }};
}

TEST(PassRunner, RunsInOrderAndRecordsChanges) {
  ir::Graph graph = passes_test::graph_of(kPassText);
  std::size_t first = 0;
  std::size_t second = 0;
  const auto records = run(graph, {counting("a", first, 3), counting("b", second, 0)});
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].name, "a");
  EXPECT_EQ(records[0].changes, 3U);
  EXPECT_GE(records[0].seconds, 0.0);
  EXPECT_EQ(records[1].changes, 0U);
  EXPECT_EQ(first, 1U);
  EXPECT_EQ(second, 1U);
}

TEST(PassRunner, RepeatsToTheFixedPoint) {
  ir::Graph graph = passes_test::graph_of(kPassText);
  std::size_t rest = 5;
  const Pass pass{.name = "count_down",
                  .apply =
                      [&rest](ir::Graph&) {
                        if (rest == 0) return std::size_t{0};
                        --rest;
                        return std::size_t{1};
                      },
                  .to_fixed_point = true};
  EXPECT_EQ(run(graph, {pass}).at(0).changes, 5U);
}

TEST(PassRunner, EndlessPassIsABug) {
  ir::Graph graph = passes_test::graph_of(kPassText);
  const Pass pass{.name = "endless",
                  .apply = [](ir::Graph&) { return std::size_t{1}; },
                  .to_fixed_point = true};
  kit::expect_internal_error([&] { run(graph, {pass}); }, "'endless' still changes");
}

TEST(PassRunner, DisablesByName) {
  ir::Graph graph = passes_test::graph_of(kPassText);
  std::size_t first = 0;
  std::size_t second = 0;
  const auto records =
      run(graph, {counting("a", first, 1), counting("b", second, 1)}, {.disabled = {"a"}});
  EXPECT_EQ(first, 0U);
  EXPECT_EQ(second, 1U);
  EXPECT_EQ(records.size(), 1U);
}

TEST(PassRunner, UnknownDisabledNameIsAUserError) {
  ir::Graph graph = passes_test::graph_of(kPassText);
  std::size_t count = 0;
  const std::string text = kit::expect_user_error(
      [&] {
        run(graph, {counting("fold_batch_norm", count, 1)}, {.disabled = {"fold_batchnorm"}});
      },
      "cannot disable a pass that is not in the pipeline");
  EXPECT_THAT(text, testing::HasSubstr("got 'fold_batchnorm'"));
  EXPECT_THAT(text, testing::HasSubstr("did you mean 'fold_batch_norm'"));
  EXPECT_EQ(count, 0U);
}

TEST(PassRunner, CallsBackAfterChangesOnly) {
  ir::Graph graph = passes_test::graph_of(kPassText);
  std::size_t first = 0;
  std::size_t second = 0;
  std::vector<std::string> seen;
  run(graph, {counting("a", first, 0), counting("b", second, 2)},
      {.after = [&](std::string_view name, const ir::Graph& after) {
        EXPECT_EQ(&after, &graph);
        seen.emplace_back(name);
      }});
  EXPECT_THAT(seen, testing::ElementsAre("b"));
}

TEST(PassRunner, NamesThePassThatBrokeTheGraph) {
  const Pass pass{.name = "breaker", .apply = [](ir::Graph& graph) {
                    const auto nodes = graph.nodes();
                    graph.set_input(*nodes.front(), 0, nodes.front()->output());
                    return std::size_t{1};
                  }};
  ir::Graph graph = passes_test::graph_of(kPassText);
  kit::expect_internal_error([&] { run(graph, {pass}); }, "pass 'breaker'");
  ir::Graph unchecked = passes_test::graph_of(kPassText);
  EXPECT_EQ(run(unchecked, {pass}, {.verify = false}).at(0).changes, 1U);
}

}  // namespace
}  // namespace espalier::passes
