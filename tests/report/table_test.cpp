#include "espalier/report/table.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::report {
namespace {

TEST(TextTable, AlignsColumns) {
  TextTable table({{"layer", Align::Left}, {"MACs"}, {"note", Align::Left}});
  table.add_row({"conv1", "1.2 M", "ok"});
  table.add_row({"a", "12.25 M", ""});
  table.add_rule();
  table.add_row({"all", "13.45 M", "x"});
  EXPECT_EQ(table.num_rows(), 4U);
  EXPECT_EQ(table.render(),
            "layer     MACs  note\n"
            "--------------------\n"
            "conv1    1.2 M  ok\n"
            "a      12.25 M\n"
            "--------------------\n"
            "all    13.45 M  x\n");
}

TEST(TextTable, CountsColumnsOfTheTerminal) {
  TextTable table({{"n", Align::Left}, {"v", Align::Left}});
  table.add_row({"\u732b", "1"});
  table.add_row({"\u00e4b", "2"});
  table.add_row({"abc", "3"});
  EXPECT_EQ(table.render(),
            "n    v\n"
            "------\n"
            "\u732b   1\n"
            "\u00e4b   2\n"
            "abc  3\n");
}

TEST(TextTable, WritesItsTitlesWithoutRows) {
  EXPECT_EQ(TextTable({{"a"}, {"b"}}).render(), "a  b\n----\n");
}

TEST(TextTable, RefusesRowsOfAnotherLength) {
  TextTable table({{"a"}, {"b"}});
  kit::expect_internal_error([&] { table.add_row({"x"}); }, "1 cells in a table of 2 columns");
}

}  // namespace
}  // namespace espalier::report
