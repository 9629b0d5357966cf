#include "espalier/recipe/data_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

DataSplits splits_of(const std::string& text) {
  return parse_data(parse_yaml(text, "d.yaml"), "dir");
}

TEST(DataYaml, ReadsPaddleClasBlocks) {
  const DataSplits splits = splits_of(R"(
DataLoader:
  Train:
    dataset:
      name: ImageNetDataset
      image_root: ./images
      cls_label_path: train.txt
      transform_ops:
        - DecodeImage: {to_rgb: True, channel_first: False}
        - NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], order: ''}
        - ToCHWImage:
    sampler: {name: DistributedBatchSampler, batch_size: 32, shuffle: True, drop_last: False}
    loader: {num_workers: 4, use_shared_memory: True}
)");
  ASSERT_TRUE(splits.train.has_value());
  EXPECT_FALSE(splits.eval.has_value());
  const data::DataConfig& train = splits.for_training();
  EXPECT_EQ(train.dataset.name, "ImageNetDataset");
  EXPECT_EQ(train.dataset.folder, "dir");
  EXPECT_EQ(std::get<std::string>(train.dataset.parameters.at("image_root")), "./images");
  ASSERT_EQ(train.dataset.transforms.size(), 3U);
  EXPECT_TRUE(std::get<bool>(train.dataset.transforms[0].parameters.at("to_rgb")));
  const auto& normalize = train.dataset.transforms[1].parameters;
  EXPECT_EQ(std::get<std::string>(normalize.at("scale")), "1.0/255.0");
  EXPECT_EQ(std::get<std::string>(normalize.at("order")), "");
  EXPECT_EQ(std::get<std::vector<double>>(normalize.at("mean")).size(), 3U);
  EXPECT_EQ(train.dataset.transforms[2].name, "ToCHWImage");
  EXPECT_EQ(train.sampler.batch_size, 32);
  EXPECT_TRUE(train.sampler.shuffle);
  EXPECT_EQ(train.loader.num_workers, 4);
  kit::expect_user_error([&] { (void)splits.for_evaluation(); }, "no split 'eval'");
}

TEST(DataYaml, OneBlockServesEveryPurpose) {
  const DataSplits splits = splits_of("dataset: {name: Synthetic, count: 8}\n");
  EXPECT_EQ(splits.for_training().dataset.name, "Synthetic");
  EXPECT_EQ(splits.for_evaluation().dataset.name, "Synthetic");
  EXPECT_EQ(splits.for_judging().dataset.name, "Synthetic");
}

TEST(DataYaml, ReadsTheFormOfRecipes) {
  const DataSplits splits = splits_of(
      "train: {dataset: {name: Synthetic, count: 8}}\ntest: {dataset: {name: Synthetic, count: "
      "9}}\n");
  EXPECT_EQ(splits.for_training().dataset.name, "Synthetic");
  EXPECT_EQ(std::get<std::int64_t>(splits.for_judging().dataset.parameters.at("count")), 9);
  kit::expect_user_error([&] { (void)splits.for_evaluation(); }, "no split 'eval'");
  kit::expect_user_error([] { (void)splits_of("train: {dataset: {name: Synthetic}}\nevil: {}\n"); },
                         "'evil'");
}

TEST(DataYaml, ReadsHeldOutParts) {
  const DataSplits splits =
      splits_of("dataset: {name: Synthetic, held_out: {samples: 10, seed: 3, part: held_out}}\n");
  ASSERT_TRUE(splits.only->dataset.part.has_value());
  EXPECT_EQ(splits.only->dataset.part->samples, 10);
  EXPECT_EQ(splits.only->dataset.part->seed, 3U);
  EXPECT_TRUE(splits.only->dataset.part->held_out);
  EXPECT_FALSE(splits.only->dataset.parameters.contains("held_out"));
}

TEST(DataYaml, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)splits_of(text); }, message);
  };
  refused("dataset: {name: X}\nsamplr: {}\n",
          "unknown key 'samplr' in the data block: d.yaml:2 (did you mean 'sampler')");
  refused("dataset:\n  name: X\n  transform_opps: [{ToCHWImage: }]\n",
          "unknown key 'transform_opps' in 'dataset': d.yaml:3 (did you mean 'transform_ops')");
  refused("dataset: {name: X}\nsampler: {batch_size: 0}\n", "an integer from 1 to 65536");
  refused("dataset: {}\n", "'dataset' lacks the key 'name'");
  refused("sampler: {}\n", "lacks the key 'dataset'");
  refused("dataset: {name: X, transform_ops: {a: 1}}\n", "expected a list of transforms");
  refused("dataset: {name: X, transform_ops: [{a: 1, b: 2}]}\n", "one transform");
  refused("dataset: {name: X, image_root: {a: 1}}\n", "bad value of 'image_root'");
  refused("dataset: {name: X}\nloader: {bad_samples: maybe}\n", "one of error, skip");
  refused("", "got nothing, expected a map");
  kit::expect_unsupported([] { (void)splits_of("type: Dataset\ndataset_root: x\n"); },
                          "PaddleSeg data blocks");
  kit::expect_unsupported(
      [] { (void)splits_of("dataset: {name: X, batch_transform_ops: [{MixupOperator: {}}]}\n"); },
      "batch_transform_ops");
}

}  // namespace
}  // namespace espalier::recipe
