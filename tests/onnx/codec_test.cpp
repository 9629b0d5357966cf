#include "espalier/onnx/codec.h"

#include <filesystem>

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/ir/verifier.h"
#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/kit/test_data.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kSmall = R"(agraph (float[N, 2, 4, 4] x) => (float[N, 3, 4, 4] y)
<float[3, 2, 1, 1] w = {1, 2, 3, 4, 5, 6}> {
  c = Conv <kernel_shape = [1, 1]> (x, w)
  y = Relu (c)
})";

std::string encoded_again(const std::string& bytes, const EncodeOptions& options = {}) {
  return encode(decode(bytes), options);
}

TEST(Codec, DecodesAndInfersTypes) {
  const ir::Graph graph = read(kSmall);
  EXPECT_EQ(operators(graph), "Conv Relu");
  EXPECT_EQ(tensor::to_string(*graph.find_value("c")->type().shape), "[N, 3, 4, 4]");
  EXPECT_EQ(graph.find_value("c")->type().dtype, tensor::DType::Float32);
  EXPECT_TRUE(ir::verify(graph).empty());
}

TEST(Codec, FactsAreThoseOfTheFile) {
  FileFacts facts = file_facts(raw_bytes(kSmall, 9));
  EXPECT_EQ(facts.opsets.at(""), 9);
  EXPECT_FALSE(facts.nodes_are_named) << "the text gives no names";
  EXPECT_EQ(decode(raw_bytes(kSmall, 9)).opsets.at(""), kDefaultOpset);
  facts = file_facts(encode(read(kSmall)));
  EXPECT_EQ(facts.opsets.at(""), kDefaultOpset);
  EXPECT_TRUE(facts.nodes_are_named);
  const auto same_name = [](::onnx::ModelProto& model) {
    for (auto& node : *model.mutable_graph()->mutable_node()) node.set_name("twice");
  };
  EXPECT_FALSE(file_facts(raw_bytes(kSmall, 17, same_name)).nodes_are_named);
  kit::expect_user_error([] { (void)file_facts("no model"); }, "");
}

TEST(Codec, EncodingIsAFixedPoint) {
  const std::string once = encode(read(kSmall));
  EXPECT_EQ(encoded_again(once), once);
  EXPECT_EQ(encode(read(kSmall)), once);
}

TEST(Codec, FixedPointAtEveryOpset) {
  const ir::Graph graph = read(R"(agraph (float[N, 4, 4] x) => (float[N, 1, 4] y, float[N, 2, 4] z)
  <int64[1] axes = {1}> {
    m = ReduceMean (x, axes)
    y = Softmax (m)
    z, rest = Split <axis = 1, num_outputs = 2> (x)
  })",
                               21);
  for (std::int64_t opset = kOldestOpset; opset <= kNewestOpset; ++opset) {
    const std::string once = encode(graph, {.opset = opset});
    EXPECT_EQ(encoded_again(once, {.opset = opset}), once) << opset;
    EXPECT_EQ(decode(once).opsets.at(""), opset);
  }
}

TEST(Codec, NamesTheProducer) {
  ::onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(encode(read(kSmall))));
  EXPECT_EQ(model.producer_name(), "espalier");
  EXPECT_FALSE(model.producer_version().empty());
  EXPECT_EQ(model.ir_version(), 8);
}

TEST(Codec, FakeQuantizeSurvivesAsOurOwnOperator) {
  const std::string bytes = raw_bytes(R"(agraph (float[N, 2] x) => (float[N, 2] y)
  <float s = {0.5}, int32 z = {3}> {
    y = espalier.FakeQuantize <qmin = 0, qmax = 255, axis = -1> (x, s, z)
  })");
  const ir::Graph graph = decode(bytes);
  const ir::Node& node = only(graph, "FakeQuantize");
  EXPECT_EQ(node.domain(), "espalier");
  EXPECT_EQ(tensor::to_string(*node.output()->type().shape), "[N, 2]");
  EXPECT_EQ(only(decode(encode(graph)), "FakeQuantize").get_int("qmax"), 255);
}

TEST(Codec, UnknownOperatorsAreCarried) {
  const ir::Graph graph = read(R"(agraph (float[N, 2] x) => (float[N, 2] y)
  <float[2] table = {1, 2}> {
    a = custom.Frobnicate <level = 3, mode = "fast"> (x, table)
    b = Invented (a)
    y = Relu (b)
  })");
  const ir::Graph again = decode(encode(graph));
  EXPECT_EQ(operators(again), "Frobnicate Invented Relu");
  EXPECT_EQ(only(again, "Frobnicate").get_string("mode", ""), "fast");
  EXPECT_EQ(only(again, "Frobnicate").domain(), "custom");
}

TEST(Codec, TypesBehindUnknownOperatorsAreTheDeclaredOnes) {
  const std::string bytes = raw_bytes(R"(agraph (float[N, 2] x) => (float[N, 2] y)
  <float[N, 5] a> {
    a = custom.Frobnicate (x)
    b = Relu (a)
    y = custom.Frobnicate (b)
  })");
  const ir::Graph graph = decode(bytes);
  EXPECT_EQ(tensor::to_string(*graph.find_value("b")->type().shape), "[N, 5]");
  EXPECT_EQ(encoded_again(encode(graph)), encode(graph));
}

TEST(Codec, SubgraphsCaptureValuesSoundly) {
  const std::string_view text = R"(agraph (float[2] x, bool flag) => (float[2] y) {
    a = Relu (x)
    b = Neg (x)
    y = If (flag) <
      then_branch = first () => (float[2] t) { t = Abs (a) },
      else_branch = second () => (float[2] e) { e = Identity (b) }>
  })";
  ir::Graph graph = read(text);
  const ir::Node& node = only(graph, "If");
  EXPECT_EQ(node.inputs().size(), 3U);
  ir::Value& renamed = *graph.find_value("a");
  graph.rename(renamed, "another");
  EXPECT_EQ(graph.erase_dead(), 0U);
  const ir::Graph again = decode(encode(graph));
  EXPECT_EQ(again.find_value("another")->uses().size(), 1U);
  EXPECT_EQ(encoded_again(encode(graph)), encode(graph));
}

TEST(Codec, OuterNamesDoNotShadowInnerOnes) {
  ir::Graph graph = read(R"(agraph (float[2] x, bool flag) => (float[2] y) {
    a = Relu (x)
    y = If (flag) <
      then_branch = first () => (float[2] t) { u = Abs (a) t = Neg (u) },
      else_branch = second () => (float[2] e) { e = Identity (a) }>
  })");
  graph.rename(*graph.find_value("a"), "u");
  const ir::Graph again = decode(encode(graph));
  EXPECT_EQ(again.find_value("u")->uses().size(), 1U);
  EXPECT_EQ(encoded_again(encode(graph)), encode(graph));
}

TEST(Codec, StringConstantsAreCarried) {
  const std::string bytes = raw_bytes(R"(agraph (float[N] x) => (float[N] y) {
    y = custom.Frobnicate (x, words)
  })",
                                      17, [](::onnx::ModelProto& model) {
                                        auto& tensor = *model.mutable_graph()->add_initializer();
                                        tensor.set_name("words");
                                        tensor.set_data_type(::onnx::TensorProto::STRING);
                                        tensor.add_dims(1);
                                        tensor.add_string_data("hello");
                                      });
  const ir::Graph graph = decode(bytes);
  EXPECT_EQ(operators(graph), "Constant Frobnicate");
  EXPECT_EQ(encoded_again(encode(graph)), encode(graph));
  EXPECT_THAT(encode(graph), HasSubstr("hello"));
}

TEST(Codec, LowestOpsetIsNamed) {
  const ir::Graph graph = read(R"(agraph (float[2, 3] x, float[3] s) => (float[2, 3] y) {
    y = LayerNormalization (x, s)
  })");
  const std::string text =
      kit::expect_unsupported([&] { static_cast<void>(encode(graph, {.opset = 15})); },
                              "node 'LayerNormalization' (LayerNormalization)");
  EXPECT_THAT(text, HasSubstr("expected opset 17 or later"));
  kit::expect_unsupported([&] { static_cast<void>(encode(graph, {.opset = 24})); },
                          "got opset 24, expected 13 to 23");
  kit::expect_unsupported([&] { static_cast<void>(encode(graph, {.opset = 12})); },
                          "got opset 12, expected 13 to 23");
}

TEST(Codec, SavesAndLoads) {
  const kit::TemporaryFolder folder;
  save(read(kSmall), folder.file("model.onnx"));
  EXPECT_THAT(folder.files(), ElementsAre("model.onnx"));
  EXPECT_EQ(encode(load(folder.file("model.onnx"))), folder.read("model.onnx"));
}

TEST(Codec, LargeConstantsGoBesideTheFile) {
  const kit::TemporaryFolder folder;
  ir::Graph graph;
  ir::Value& x =
      graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({1, 64})});
  ir::Value& weight = graph.add_initializer("w", kit::random_tensor({64, 64}, 1));
  ir::Value& bias = graph.add_initializer("b", kit::random_tensor({64}, 2));
  graph.add_output(*graph.add_node({.op = "Gemm", .inputs = {&x, &weight, &bias}}).output());
  save(graph, folder.file("model.onnx"), {.inline_limit = 1024});
  EXPECT_THAT(folder.files(), ElementsAre("model.onnx", "model.onnx.data"));
  const ir::Graph again = load(folder.file("model.onnx"));
  EXPECT_THAT(again.find_value("w")->constant(), kit::HasSameBits(weight.constant()));
  EXPECT_THAT(again.find_value("b")->constant(), kit::HasSameBits(bias.constant()));
  EXPECT_EQ(encode(again), encode(graph));
}

TEST(Codec, MissingFileIsNamed) {
  kit::expect_user_error([] { static_cast<void>(load("/nonexistent/model.onnx")); },
                         "/nonexistent/model.onnx");
}

TEST(Codec, EveryTruncationIsRefused) {
  // With one opset import, the last field, no prefix is a whole model.
  const std::string bytes = raw_bytes(kSmall, 17, [](::onnx::ModelProto& model) {
    model.mutable_opset_import()->DeleteSubrange(1, model.opset_import_size() - 1);
  });
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    try {
      // A prefix may end between two fields; then what is missing decides.
      static_cast<void>(decode(bytes.substr(0, length)));
      ADD_FAILURE() << "accepted " << length << " of " << bytes.size() << " bytes";
    } catch (const base::UserError&) {
    } catch (const base::UnsupportedError&) {
    }
  }
}

TEST(Codec, EveryChangedByteIsSurvived) {
  const std::string bytes = raw_bytes(kSmall);
  int refused = 0;
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string changed = bytes;
      changed[place] = static_cast<char>(changed[place] ^ flip);
      try {
        static_cast<void>(decode(changed));
      } catch (const base::UserError&) {
        ++refused;
      } catch (const base::UnsupportedError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(Codec, FuzzingCorpusIsReadOrRefused) {
  const std::filesystem::path folder = kit::fuzz_corpus("onnx");
  int accepted = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename());
    try {
      const std::string once = encode(decode(base::read_file(entry.path())));
      EXPECT_EQ(encoded_again(once), once);
      ++accepted;
    } catch (const base::UserError&) {
    } catch (const base::UnsupportedError&) {
    }
  }
  EXPECT_GE(accepted, 15);
}

TEST(Codec, OutputsWithoutTypeCannotBeWritten) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = {}});
  graph.add_output(
      *graph.add_node({.op = "Frobnicate", .inputs = {&x}, .outputs = {"y"}, .domain = "custom"})
           .output());
  kit::expect_unsupported([&] { static_cast<void>(encode(graph)); }, "output 'y'");
}

}  // namespace
}  // namespace espalier::onnx
