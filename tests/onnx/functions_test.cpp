#include "espalier/onnx/functions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

constexpr std::string_view kEnvelope =
    "<ir_version: 8, opset_import: [\"\" : 17, \"local\" : 1]>\n";

std::string with_functions(std::string_view functions, std::string_view call = "twice") {
  return fmt::format("{}agraph (float[N] x) => (float[N] y) {{ y = local.{} (x) }}\n{}", kEnvelope,
                     call, functions);
}

TEST(Functions, AreInlined) {
  const ir::Graph graph = read(with_functions(R"(
    <domain: "local", opset_import: ["" : 17]> twice (a) => (c) { b = Relu (a) c = Add (b, b) })"));
  EXPECT_EQ(operators(graph), "Relu Add");
}

TEST(Functions, CirclesAreRefused) {
  kit::expect_user_error(
      [] {
        static_cast<void>(read(with_functions(R"(
          <domain: "local", opset_import: ["" : 17, "local" : 1]> twice (a) => (b)
            { b = local.again (a) }
          <domain: "local", opset_import: ["" : 17, "local" : 1]> again (a) => (b)
            { b = local.twice (a) })")));
      },
      "functions that call each other in a circle");
}

TEST(Functions, ExplosionsAreRefusedBeforeTheyHappen) {
  std::string functions =
      "<domain: \"local\", opset_import: [\"\" : 17]> f0 (a) => (b) { b = Relu (a) }\n";
  for (int level = 1; level <= 60; ++level) {
    functions += fmt::format(
        "<domain: \"local\", opset_import: [\"\" : 17, \"local\" : 1]> f{0} (a) => (c) "
        "{{ b = local.f{1} (a) c = local.f{1} (b) }}\n",
        level, level - 1);
  }
  kit::expect_user_error([&] { static_cast<void>(read(with_functions(functions, "f60"))); },
                         "functions that expand without bound, expected at most 1000000 nodes");
}

TEST(Functions, DuplicatesAreRefused) {
  kit::expect_user_error(
      [] {
        static_cast<void>(read(with_functions(R"(
          <domain: "local", opset_import: ["" : 17]> twice (a) => (b) { b = Relu (a) }
          <domain: "local", opset_import: ["" : 17]> twice (a) => (b) { b = Abs (a) })")));
      },
      "two functions are named 'twice'");
}

TEST(Functions, OtherOpsetsAreUnsupported) {
  kit::expect_unsupported(
      [] {
        static_cast<void>(read(with_functions(R"(
          <domain: "local", opset_import: ["" : 12]> twice (a) => (b) { b = Relu (a) })")));
      },
      "a function of another opset than the model");
}

}  // namespace
}  // namespace espalier::onnx
