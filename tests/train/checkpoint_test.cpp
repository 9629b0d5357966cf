#include "espalier/train/checkpoint.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/train/container.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/kit/test_data.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

Checkpoint sample() {
  Checkpoint checkpoint{.graph = synthetic_model(7), .state = TrainState{}, .slots = {}};
  checkpoint.state->step = 12;
  checkpoint.state->config = "epochs: 3\n";
  checkpoint.slots.emplace("momentum/head.bias", kit::tensor_of({1, 2, 3, 4}));
  return checkpoint;
}

TEST(Checkpoint, ComesBackWhole) {
  const Checkpoint checkpoint = sample();
  const std::string bytes = encode_checkpoint(checkpoint);
  const Checkpoint back = decode_checkpoint(bytes, "x.espalier");
  EXPECT_EQ(kit::to_text(back.graph), kit::to_text(checkpoint.graph));
  for (const ir::Value* value : checkpoint.graph.initializers()) {
    EXPECT_THAT(back.graph.find_value(value->name())->constant(),
                kit::HasSameBits(value->constant()))
        << value->name();
  }
  EXPECT_EQ(back.state, checkpoint.state);
  EXPECT_THAT(back.slots.at("momentum/head.bias"),
              kit::HasSameBits(checkpoint.slots.at("momentum/head.bias")));
  EXPECT_EQ(encode_checkpoint(back), bytes);
}

TEST(Checkpoint, KeepsInitializersInOrderSoThatExportsAgree) {
  for (const char* name : {"FashionCNN", "ResNet20"}) {
    const ir::Graph graph = zoo::build(name);
    const Checkpoint back = decode_checkpoint(encode_checkpoint({.graph = graph.clone()}), name);
    EXPECT_EQ(onnx::encode(back.graph), onnx::encode(graph)) << name;
    EXPECT_FALSE(back.state.has_value());
  }
}

TEST(Checkpoint, StoresEachWeightOnce) {
  const ir::Graph graph = zoo::build("FashionCNN");
  std::size_t weight_bytes = 0;
  for (const ir::Value* value : graph.initializers()) weight_bytes += value->constant().nbytes();
  EXPECT_LT(encode_checkpoint({.graph = graph.clone()}).size(), weight_bytes + 20'000);
}

TEST(Checkpoint, RefusesCutAndChangedFilesByName) {
  const kit::TemporaryFolder folder;
  const std::string bytes = encode_checkpoint(sample());
  const std::string cut = folder.write("cut.espalier", bytes.substr(0, bytes.size() - 9));
  kit::expect_user_error([&] { (void)read_checkpoint(cut); }, "cut.espalier'");
  for (std::size_t place = 0; place < bytes.size(); place += 7) {
    std::string changed = bytes;
    changed[place] = static_cast<char>(changed[place] ^ (1 << (place % 8)));
    kit::expect_user_error([&] { (void)decode_checkpoint(changed, "changed.espalier"); },
                           "cannot read the checkpoint 'changed.espalier'");
  }
}

/// The sections of a good checkpoint, to be spoilt.
std::vector<Section> sections_of(const Checkpoint& checkpoint) {
  const std::string bytes = encode_checkpoint(checkpoint);
  std::vector<Section> sections;
  for (const auto& [name, content] : decode_container(bytes, "x").sections) {
    sections.push_back({.name = name, .bytes = std::string(content)});
  }
  return sections;
}

/// Expects a refusal of the sample with one section changed (left out when `change` says so).
void expect_refusal(std::string_view section,
                    const std::function<std::optional<std::string>(const std::string&)>& change,
                    std::string_view text) {
  std::vector<Section> spoilt;
  for (Section& one : sections_of(sample())) {
    std::optional<std::string> content = one.bytes;
    if (one.name == section) content = change(one.bytes);
    if (content) spoilt.push_back({.name = one.name, .bytes = *content});
  }
  kit::expect_user_error([&] { (void)decode_checkpoint(encode_container(spoilt), "bad.espalier"); },
                         text);
}

std::optional<std::string> nothing(const std::string&) {
  return std::nullopt;
}

TEST(Checkpoint, RefusesSectionsThatDoNotFitTogether) {
  expect_refusal("graph", nothing, "table of sections: got no 'graph', expected one");
  expect_refusal("weights", nothing, "table of sections: got no 'weights'");
  expect_refusal("initializers", nothing, "table of sections: got no 'initializers'");
  expect_refusal(
      "graph", [](const std::string&) { return "garbage"; }, "bad.espalier");
  expect_refusal(
      "initializers", [](const std::string&) { return R"(["ghost"])"; },
      "initializer 'ghost': got no such value in the graph");
  expect_refusal(
      "initializers", [](const std::string&) { return R"(["logits"])"; },
      "initializer 'logits': got no such value in the graph");
  expect_refusal(
      "initializers", [](const std::string&) { return R"(["head.bias"])"; },
      "section 'weights': got 7 tensors, expected the 1 of the graph");
  expect_refusal(
      "weights",
      [](const std::string& bytes) {
        weights::TensorMap tensors = weights::decode_safetensors(bytes, "x").tensors;
        tensors["head.bias"] = kit::tensor_of({1, 2, 3});
        return weights::encode_safetensors(tensors);
      },
      "initializer 'head.bias': got float32 [3], expected float32 [4]");
  expect_refusal(
      "weights",
      [](const std::string& bytes) {
        weights::TensorMap tensors = weights::decode_safetensors(bytes, "x").tensors;
        tensors.erase("head.bias");
        return weights::encode_safetensors(tensors);
      },
      "initializer 'head.bias': got no tensor");
  std::vector<Section> extra = sections_of(sample());
  extra.push_back({.name = "surprise", .bytes = ""});
  kit::expect_user_error([&] { (void)decode_checkpoint(encode_container(extra), "x"); },
                         "got 'surprise', expected graph, initializers, weights, slots or state");
}

TEST(Checkpoint, ReadsFilesOfEveryEarlierVersion) {
  const Checkpoint old = read_checkpoint(kit::test_data() / "checkpoint" / "v1.espalier");
  ASSERT_TRUE(old.state.has_value());
  EXPECT_EQ(old.state->epoch, 3);
  EXPECT_EQ(old.state->step, 12);
  EXPECT_EQ(old.state->seed, 5U);
  EXPECT_EQ(old.state->history.size(), 3U);
  EXPECT_EQ(old.slots.size(), 5U);
  EXPECT_EQ(kit::to_text(old.graph), kit::to_text(synthetic_model(3)));
}

}  // namespace
}  // namespace espalier::train
