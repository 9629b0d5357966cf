// Judges the executor by ONNX's own node tests: Debian's libonnx-testdata (opsets up to 17) and the
// cases of tests/data/node_tests.tar.xz (opsets 18 to 23), unpacked by CMake. A case neither passes
// nor stands in node_tests_unsupported.txt: failure. A case that stands there and passes: failure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/node_case.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;

struct Collection {
  std::string name;
  fs::path folder;
};

const std::vector<Collection>& collections() {
  static const std::vector<Collection> all{
      {"debian", "/usr/share/libonnx-testdata/data/node"},
      {"generated", ESPALIER_NODE_TESTS},
  };
  return all;
}

const kit::ExpectedFailures& failures_of(std::size_t collection) {
  static const std::vector<kit::ExpectedFailures> all = [] {
    std::vector<kit::ExpectedFailures> lists;
    for (const Collection& one : collections()) {
      lists.emplace_back(ESPALIER_UNSUPPORTED_NODE_TESTS, one.name);
    }
    return lists;
  }();
  return all[collection];
}

class NodeCaseTest : public testing::TestWithParam<std::pair<std::size_t, fs::path>> {};

TEST_P(NodeCaseTest, AgreesOrIsListed) {
  const auto& [collection, folder] = GetParam();
  const std::string reason = failures_of(collection).reason(folder.filename().string());
  const std::string problem = kit::run_node_case(folder);
  if (reason.empty()) {
    EXPECT_EQ(problem, "");
  } else {
    EXPECT_NE(problem, "") << "listed as unsupported (" << reason << "), but it passes";
  }
}

std::vector<std::pair<std::size_t, fs::path>> all_cases() {
  std::vector<std::pair<std::size_t, fs::path>> cases;
  for (std::size_t index = 0; index < collections().size(); ++index) {
    for (const fs::path& path : kit::find_node_cases(collections()[index].folder)) {
      cases.emplace_back(index, path);
    }
  }
  return cases;
}

std::string name_of(const testing::TestParamInfo<std::pair<std::size_t, fs::path>>& one) {
  std::string name =
      collections()[one.param.first].name + "_" + one.param.second.filename().string();
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, NodeCaseTest, testing::ValuesIn(all_cases()), name_of);

TEST(NodeTests, AreThere) {
  EXPECT_GE(kit::find_node_cases(collections()[0].folder).size(), 900U)
      << "install Debian's libonnx-testdata";
  EXPECT_GE(kit::find_node_cases(collections()[1].folder).size(), 900U);
}

TEST(NodeTests, ListNamesExistingCasesOnly) {
  for (std::size_t index = 0; index < collections().size(); ++index) {
    const auto cases = kit::find_node_cases(collections()[index].folder);
    EXPECT_THAT(failures_of(index).stale(cases), testing::IsEmpty()) << collections()[index].name;
  }
}

}  // namespace
}  // namespace espalier
