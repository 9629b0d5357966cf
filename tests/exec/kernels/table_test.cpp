#include "espalier/exec/kernels/table.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/file.h"
#include "tests/kit/test_data.h"

namespace espalier::exec {
namespace {

TEST(TableTest, HasEveryOperatorOnceWithAKernel) {
  EXPECT_GE(operator_table().size(), 90U);
  ir::Graph graph;
  graph.add_input("x", {});
  for (const OperatorRow& row : operator_table()) {
    ir::Node& node = graph.add_node({.op = std::string(row.op),
                                     .inputs = {graph.inputs()[0]},
                                     .domain = std::string(row.domain)});
    EXPECT_EQ(find_operator(node), &row) << row.op;
    EXPECT_NE(row.make, nullptr) << row.op;
  }
}

TEST(TableTest, DoesNotKnowOtherOperatorsOrDomains) {
  ir::Graph graph;
  graph.add_input("x", {});
  const auto known = [&](const std::string& op, const std::string& domain) {
    return find_operator(graph.add_node(
               {.op = op, .inputs = {graph.inputs()[0]}, .domain = domain})) != nullptr;
  };
  EXPECT_FALSE(known("LSTM", ""));
  EXPECT_FALSE(known("Conv", "acme"));
  EXPECT_FALSE(known("FakeQuantize", ""));
  EXPECT_TRUE(known("FakeQuantize", "espalier"));
}

/// With ESPALIER_UPDATE_DOCS set, writes the page instead of comparing it.
TEST(TableTest, PageOfOperatorsIsUpToDate) {
  const std::filesystem::path page = kit::documentation_page("operators.md");
  if (std::getenv("ESPALIER_UPDATE_DOCS") != nullptr)
    base::write_file_atomic(page, operators_page());
  EXPECT_EQ(base::read_file(page), operators_page());
}

}  // namespace
}  // namespace espalier::exec
