#include "espalier/train/model_file.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/train/checkpoint.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

TEST(ModelFile, TellsKindsByContent) {
  const ir::Graph graph = synthetic_model(1);
  const std::string onnx = onnx::encode(graph);
  EXPECT_EQ(model_kind(onnx), ModelKind::Onnx);
  EXPECT_EQ(model_kind(onnx.substr(0, onnx.size() / 2)), ModelKind::Onnx) << "a cut file is named";
  EXPECT_EQ(model_kind(encode_checkpoint({.graph = graph.clone()})), ModelKind::Checkpoint);
  for (const std::string text :
       {"", "version: 1\n", "{\"a\": 1}", "\x89PNG\r\n\x1A\n", "PK\x03\x04", "rrrrrrrrrrrrrrrrr",
        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"}) {
    EXPECT_EQ(model_kind(text), ModelKind::Unknown) << text;
  }
}

TEST(ModelFile, LoadsBothKindsWhateverTheirName) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = synthetic_model(1);
  const std::string onnx = folder.write("model.pdparams", onnx::encode(graph));
  const std::string checkpoint =
      folder.write("model.onnx", encode_checkpoint({.graph = graph.clone()}));
  EXPECT_EQ(onnx::encode(load_model(onnx)), onnx::encode(graph));
  EXPECT_EQ(onnx::encode(load_model(checkpoint)), onnx::encode(graph));
}

TEST(ModelFile, RefusesOtherFilesByName) {
  const kit::TemporaryFolder folder;
  const std::string text = folder.write("notes.onnx", "version: 1\n");
  kit::expect_user_error([&] { (void)load_model(text); },
                         "notes.onnx': got other content, expected an ONNX file or a checkpoint");
  const std::string empty = folder.write("empty.onnx", "");
  kit::expect_user_error([&] { (void)load_model(empty); }, "got an empty file");
  kit::expect_user_error([&] { (void)load_model(folder.file("missing.onnx")); }, "missing.onnx");
}

}  // namespace
}  // namespace espalier::train
