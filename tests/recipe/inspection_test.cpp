#include "espalier/recipe/inspection.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "espalier/train/checkpoint.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

TEST(Inspection, CountsAndTextAgree) {
  const kit::TemporaryFolder folder;
  const report::Json json = inspect_model(write_small_model(folder.path()));
  EXPECT_EQ(json.at("kind").as_string(), "onnx");
  std::int64_t macs = 0;
  for (const report::Json& node : json.at("nodes").items()) {
    macs += node.at("macs").is_null() ? 0 : node.at("macs").as_integer();
  }
  EXPECT_EQ(macs, json.at("macs").as_integer());
  EXPECT_GT(macs, 0);
  const std::string text = inspection_text(json, true);
  EXPECT_NE(text.find("Conv"), std::string::npos);
  EXPECT_NE(text.find("conv1"), std::string::npos);
  EXPECT_EQ(inspection_text(json, false).find("node "), std::string::npos);
}

TEST(Inspection, AddsTheChannelGroupsWhereTheyAreAskedFor) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path model = write_small_model(folder.path());
  const report::Json json = inspect_model(model, {.groups = true});
  const auto& groups = json.at("groups").items();
  ASSERT_GE(groups.size(), 2U);
  EXPECT_TRUE(groups.front().at("can_be_cut").as_bool());
  EXPECT_FALSE(groups.back().at("can_be_cut").as_bool());
  EXPECT_NE(inspection_text(json, false).find("channel groups can be cut"), std::string::npos);
  const report::Json without = inspect_model(model);
  EXPECT_EQ(without.find("groups"), nullptr);
  EXPECT_EQ(inspection_text(without, false).find("channel group"), std::string::npos);
}

TEST(Inspection, ShowsTheTrainingOfACheckpoint) {
  const kit::TemporaryFolder folder;
  train::TrainState state;
  state.epoch = 3;
  state.optimizer = "sgd";
  const std::filesystem::path path = folder.path() / "any.name";
  train::write_checkpoint(path, {.graph = zoo::build("FashionCNN"), .state = state});
  const report::Json json = inspect_model(path);
  EXPECT_EQ(json.at("kind").as_string(), "checkpoint");
  EXPECT_EQ(json.at("training").at("epoch").as_integer(), 3);
}

TEST(Inspection, WhatCannotBeCountedIsNotPassedOffAsATotal) {
  const kit::TemporaryFolder folder;
  onnx::save(onnx::parse(R"(agraph (float[N, 1, H, W] x) => (float[N, 1, A, B] y)
      <float[1, 1, 3, 3] w = {1, 1, 1, 1, 1, 1, 1, 1, 1}> { y = Conv (x, w) })"),
             folder.path() / "open.onnx");
  const std::string text = inspection_text(inspect_model(folder.path() / "open.onnx"), false);
  EXPECT_NE(text.find("MACs        at least 0\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("at ''"), std::string::npos) << text;
}

TEST(Inspection, NamesWhatIsNoModel) {
  const kit::TemporaryFolder folder;
  const std::string path = folder.write("text.onnx", "hello");
  kit::expect_user_error([&] { (void)inspect_model(path); }, "text.onnx");
}

}  // namespace
}  // namespace espalier::recipe
