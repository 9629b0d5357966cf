#include "espalier/onnx/model_file.h"

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

constexpr std::string_view kModelFileText = "agraph (float[N] x) => (float[N] y) { y = Relu (x) }";

void parse_bytes(const std::string& bytes) {
  static_cast<void>(parse_model(bytes, "a.onnx"));
}

std::string changed(const std::function<void(::onnx::ModelProto&)>& change) {
  return raw_bytes(kModelFileText, 17, change);
}

TEST(ModelFile, OtherContainersAreNamed) {
  struct Case {
    std::string bytes;
    std::string text;
  };
  const Case cases[] = {
      {std::string("PK\x03\x04xxxx", 8), "a zip archive, as PyTorch and Keras write"},
      {std::string("\x89HDF\r\n\x1a\n", 8), "an HDF5 file"},
      {std::string("\x1c\0\0\0TFL3xxxx", 12), "a TensorFlow Lite file"},
      {"<?xml version=\"1.0\"?>", "an XML file, as OpenVINO writes"},
      {std::string("\x80\x04xyz", 5), "a Python pickle"},
  };
  for (const Case& entry : cases) {
    kit::expect_unsupported([&] { parse_bytes(entry.bytes); }, entry.text);
  }
}

TEST(ModelFile, DamagedFilesAreRefused) {
  kit::expect_user_error([] { parse_bytes(""); },
                         "cannot read the model 'a.onnx': got an empty file");
  kit::expect_user_error([] { parse_bytes("hello, world"); }, "12 bytes that are no ONNX model");
  const std::string bytes = raw_bytes(kModelFileText);
  kit::expect_user_error([&] { parse_bytes(bytes.substr(0, bytes.size() - 3)); },
                         "truncated or damaged");
}

TEST(ModelFile, AClaimOfTwoGigabytesIsRefusedAtOnce) {
  // Field 7 (graph), length 0x7FFFFFFF, then nothing.
  kit::expect_user_error([] { parse_bytes("\x08\x08\x3A\xFF\xFF\xFF\xFF\x07xx"); },
                         "bytes that are no ONNX model");
}

TEST(ModelFile, DeepNestingIsRefused) {
  ::onnx::ModelProto model = raw_model(kModelFileText);
  for (int level = 0; level < 200; ++level) {
    ::onnx::GraphProto inner = model.graph();
    auto& node = *model.mutable_graph();
    node.Clear();
    node.add_node()->add_attribute()->mutable_g()->Swap(&inner);
  }
  kit::expect_user_error([&] { parse_bytes(model.SerializePartialAsString()); },
                         "bytes that are no ONNX model");
}

TEST(ModelFile, AModelWithoutGraphIsRefused) {
  kit::expect_user_error([] { parse_bytes(changed([](auto& model) { model.clear_graph(); })); },
                         "a file without a graph");
}

TEST(ModelFile, VersionsOutsideAreUnsupported) {
  kit::expect_unsupported(
      [] { parse_bytes(changed([](auto& model) { model.set_ir_version(2); })); },
      "IR version 2, expected 3 or later");
  kit::expect_unsupported(
      [] { parse_bytes(changed([](auto& model) { model.set_ir_version(99); })); },
      "IR version 99, expected at most");
  kit::expect_unsupported([] { parse_bytes(raw_bytes(kModelFileText, 24)); },
                          "opset 24, expected 1 to 23");
  kit::expect_unsupported([] { parse_bytes(raw_bytes(kModelFileText, -1)); }, "opset -1");
}

TEST(ModelFile, OpsetImportsMustBeWholeAndUnique) {
  kit::expect_user_error(
      [] { parse_bytes(changed([](auto& model) { model.clear_opset_import(); })); },
      "(Relu) of the domain '', expected an opset_import of this domain");
  kit::expect_user_error(
      [] {
        parse_bytes(changed([](auto& model) { model.add_opset_import()->set_domain("ai.onnx"); }));
      },
      "two opset versions of the domain ''");
}

TEST(ModelFile, BothNamesOfTheDomainAreOne) {
  const std::string bytes = changed([](::onnx::ModelProto& model) {
    model.mutable_opset_import(0)->set_domain("ai.onnx");
    model.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  });
  const ::onnx::ModelProto model = parse_model(bytes, "a.onnx");
  EXPECT_EQ(model.graph().node(0).domain(), "");
  EXPECT_EQ(default_opset(model), 17);
}

TEST(ModelFile, DefaultOpsetOfAModelWithoutOneIsZero) {
  EXPECT_EQ(default_opset(::onnx::ModelProto()), 0);
}

}  // namespace
}  // namespace espalier::onnx
