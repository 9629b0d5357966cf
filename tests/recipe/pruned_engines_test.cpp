#include "espalier/recipe/pruned_engines.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/zoo/table.h"

namespace espalier::recipe {
namespace {

TEST(PrunedEngines, RunTheFileAsTheExecutorAndTimeBoth) {
  const ir::Graph graph = zoo::build("FashionCNN", {.classes = 4, .seed = 5});
  const std::string bytes = onnx::encode(graph, {});
  const report::Json rows = judge_in_engines({.pruned = graph,
                                              .original_model = bytes,
                                              .pruned_model = bytes,
                                              .engines = {"onnxruntime", "openvino"},
                                              .latency_rounds = 3});
  ASSERT_EQ(rows.items().size(), 2U);
  for (const report::Json& row : rows.items()) {
    EXPECT_TRUE(row.at("passed").as_bool()) << row.at("failure").as_string();
    EXPECT_LE(row.at("difference").as_number(), 1e-4);
    EXPECT_GT(row.at("after_ms").as_number(), 0);
    EXPECT_FALSE(row.at("version").as_string().empty());
  }
}

TEST(PrunedEngines, FindAFileThatComputesSomethingElse) {
  const ir::Graph graph = zoo::build("FashionCNN", {.classes = 4, .seed = 5});
  const std::string other = onnx::encode(zoo::build("FashionCNN", {.classes = 4, .seed = 6}), {});
  const report::Json rows = judge_in_engines({.pruned = graph,
                                              .original_model = other,
                                              .pruned_model = other,
                                              .engines = {"onnxruntime", "none"},
                                              .latency_rounds = 0});
  EXPECT_FALSE(rows.items()[0].at("passed").as_bool());
  EXPECT_NE(rows.items()[0].at("failure").as_string().find("differ"), std::string::npos);
  EXPECT_EQ(rows.items()[0].find("after_ms"), nullptr);
  EXPECT_FALSE(rows.items()[1].at("passed").as_bool()) << "an engine that does not exist";
}

}  // namespace
}  // namespace espalier::recipe
