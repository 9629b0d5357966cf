#include "espalier/recipe/model_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

ModelConfig model_of(const std::string& text) {
  return parse_model(parse_yaml(text, "m.yaml"), 4, ".");
}

TEST(ModelYaml, ReadsFamiliesAndFiles) {
  const auto model = std::get<ZooModel>(
      model_of("{zoo: MobileNetV2, scale: 0.5, classes: 10, image_size: 32, stem: cifar}").source);
  EXPECT_EQ(model.name, "MobileNetV2");
  EXPECT_EQ(model.options.stem, zoo::Stem::Cifar);
  EXPECT_EQ(model.options.seed, 4U);
  EXPECT_EQ(std::get<ZooModel>(model_of("{zoo: ResNet34}").source).options.stem,
            zoo::Stem::ImageNet);
  EXPECT_EQ(std::get<ModelFile>(model_of("{onnx: a.onnx}").source).path, "a.onnx");
  EXPECT_EQ(model_of("{onnx: a.onnx, weights: w.bin}").weights, "w.bin");
}

TEST(ModelYaml, TriesPathsInTheFolder) {
  const kit::TemporaryFolder folder;
  folder.write("t.onnx", "");
  EXPECT_EQ(resolve_path("t.onnx", folder.path()), folder.path() / "t.onnx");
  EXPECT_EQ(resolve_path("other.onnx", folder.path()), "other.onnx");
}

TEST(ModelYaml, RefusesWhatIsNoModel) {
  kit::expect_user_error([] { (void)model_of("{scale: 1}"); },
                         "'model' needs one of the keys 'zoo' and 'onnx': m.yaml:1");
  kit::expect_user_error([] { (void)model_of("{zoo: MobileNetV2, stem: large}"); }, "cifar");
  kit::expect_user_error([] { (void)model_of("{onnx: x, stem: cifar}"); }, "unknown key 'stem'");
}

}  // namespace
}  // namespace espalier::recipe
