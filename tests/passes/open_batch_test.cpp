#include "espalier/passes/open_batch.h"

#include <array>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

std::vector<Tensor> halves(const Tensor& images, std::size_t index) {
  const std::int64_t size = images.size(0) / 2;
  return {images.narrow(0, static_cast<std::int64_t>(index) * size, size)};
}

/// The graph opened: any number of samples, each as in the original; closed: the original again.
void expect_opens(const std::string& text, std::int64_t batch, const std::string& part = "") {
  SCOPED_TRACE(text);
  const ir::Graph original = passes_test::graph_of(text);
  ir::Graph graph = original.clone();
  ASSERT_EQ(passes_test::apply(open_batch(), graph), 1U);
  EXPECT_THAT(kit::to_text(graph), testing::HasSubstr(part));
  const tensor::Shape& shape = *graph.outputs()[0]->type().shape;
  EXPECT_FALSE(shape.front().known());
  const std::vector<std::int64_t> sizes{2 * batch, 4, 6, 6};
  const Tensor images = kit::random_tensor(sizes, 5, {.normal = true});
  const Tensor found = passes_test::run_on(graph, {images})[0];
  for (std::size_t half = 0; half < 2; ++half) {
    EXPECT_THAT(halves(found, half)[0],
                kit::IsCloseTo(passes_test::run_on(original, halves(images, half))[0],
                               kit::Tolerance{.absolute = 1e-6, .relative = 1e-6}));
  }
  EXPECT_EQ(passes_test::apply(open_batch(), graph), 0U) << "it is open";
  EXPECT_EQ(passes_test::apply(close_batch(), graph), 1U);
  EXPECT_EQ(passes_test::apply(close_batch(), graph), 0U);
  for (const bool input : {true, false}) {
    const auto& values = input ? graph.inputs() : graph.outputs();
    const auto& before = input ? original.inputs() : original.outputs();
    EXPECT_EQ(values[0]->type(), before[0]->type());
  }
  passes_test::expect_same_outputs(graph, original);
}

/// "{0}" in the parts is the batch, "{1}" its double.
std::string fixed(std::int64_t batch, const std::string& output, const std::string& nodes) {
  const std::string text =
      "g (float[{0},4,6,6] x) => (float[{0}," + output + "] y) {{" + nodes + "}}";
  return fmt::format(fmt::runtime(text), batch, 2 * batch);
}

TEST(OpenBatch, MendsWhatWasWrittenForOneBatch) {
  const std::vector<std::array<std::string, 3>> rows{
      {"4,6,6", "y = Relu(x)", ""},
      {"4", "p = GlobalAveragePool(x) y = Flatten(p)", ""},
      {"144", "s = Constant<value = int64[2] {{{0}, -1}}>() y = Reshape(x, s)", ""},
      {"4,6,6",
       "s = Constant<value = int64[5] {{{0}, 2, 2, 6, 6}}>() r = Reshape(x, s)"
       " t = Transpose<perm=[0,2,1,3,4]>(r)"
       " u = Constant<value = int64[4] {{{0}, 4, 6, 6}}>() y = Reshape(t, u)",
       ""},
      // Groups among the samples: the batch is in the middle of a size.
      {"4,6,6",
       "s = Constant<value = int64[4] {{{1}, 2, 6, 6}}>() r = Reshape(x, s) q = Relu(r)"
       " u = Constant<value = int64[4] {{{0}, 4, 6, 6}}>() y = Reshape(q, u)",
       ""},
      {"4,12,12",
       "s = Constant<value = int64[4] {{{0}, 4, 12, 12}}>() y = Resize<mode=\"nearest\">(x, , , s)",
       "Concat"},
      {"4,6,6",
       "p = GlobalAveragePool(x) s = Constant<value = int64[4] {{{0}, 4, 6, 6}}>()"
       " y = Expand(p, s)",
       ""}};
  for (const std::int64_t batch : {1, 3}) {
    for (const auto& [output, nodes, part] : rows) {
      expect_opens(fixed(batch, output, nodes), batch, part);
    }
  }
}

TEST(OpenBatch, LeavesOpenModelsAlone) {
  for (const auto& pass : {open_batch(), close_batch()}) {
    passes_test::expect_unchanged(pass, "g (float[N,4,6,6] x) => (float[N,4,6,6] y) {y = Relu(x)}");
  }
}

TEST(OpenBatch, NamesWhatKeepsTheBatch) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,4,6,6] x) => (float[2,4,6] y) { s = Constant<value = int64[3] {2, -1, 6}>()"
      " a = Constant<value = int64[1] {0}>() b = Constant<value = int64[1] {2}>()"
      " [rows] p = Slice(x, a, b, a) y = Reshape(p, s) }");
  // A Slice of the first two samples gives no more of them however many there are: such a model
  // opens, and trying it shows that (recipe::open_for_training).
  EXPECT_EQ(passes_test::apply(open_batch(), graph), 1U);
  ir::Graph mixed = passes_test::graph_of(
      "g (float[2,4,6,6] x) => (float[2,4,6] y) { s = Constant<value = int64[3] {2, -1, 6}>()"
      " [mix] t = Transpose<perm=[1,0,2,3]>(x) [rows] y = Reshape(t, s) }");
  kit::expect_unsupported([&] { passes_test::apply(open_batch(), mixed); },
                          "cannot open the batch of 2 that the model fixes: node 'rows'");
  ir::Graph two = passes_test::graph_of(
      "g (float[2,4] x, float[3,4] x2) => (float[2,4] y) { y = Relu(x) z = Relu(x2) }");
  kit::expect_unsupported([&] { passes_test::apply(open_batch(), two); },
                          "input 'x2': got 3, expected 2, as the others have");
}

}  // namespace
}  // namespace espalier::passes
