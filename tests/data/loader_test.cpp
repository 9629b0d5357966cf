#include "espalier/data/loader.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

std::vector<Batch> rest_of_epoch(Loader& loader) {
  std::vector<Batch> batches;
  while (std::optional<Batch> batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

std::vector<Batch> epoch_of(Loader& loader, LoaderPosition position = {}) {
  loader.start(position);
  return rest_of_epoch(loader);
}

std::vector<std::int64_t> indices_of(const std::vector<Batch>& batches) {
  std::vector<std::int64_t> all;
  for (const Batch& batch : batches)
    all.insert(all.end(), batch.indices.begin(), batch.indices.end());
  return all;
}

void expect_same(const std::vector<Batch>& actual, const std::vector<Batch>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].indices, expected[i].indices);
    EXPECT_THAT(actual[i].labels, kit::HasSameBits(expected[i].labels));
    EXPECT_THAT(actual[i].images, kit::HasSameBits(expected[i].images));
  }
}

DataConfig synthetic_config(std::int64_t count = 23) {
  return {.dataset = {.name = "Synthetic",
                      .parameters = {{"count", whole(count)},
                                     {"size", whole(12)},
                                     {"classes", whole(5)}},
                      .transforms = {{.name = "RandCropImage", .parameters = {{"size", whole(8)}}},
                                     {.name = "RandFlipImage"},
                                     {.name = "NormalizeImage"},
                                     {.name = "ToCHWImage"}}},
          .sampler = {.batch_size = 4, .shuffle = true}};
}

/// A folder of pictures with a list; pictures in `bad` hold text.
class Files {
 public:
  Files(int count, const std::vector<int>& bad, std::int64_t growth = 0) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      const bool damaged = std::ranges::find(bad, i) != bad.end();
      const std::string name = fmt::format("{}.png", i);
      const Picture picture{.height = 4, .width = 5 + growth * i};
      folder_.write("images/" + name, damaged ? "no image" : picture.encode(".png"));
      list += fmt::format("{} {}\n", name, i);
    }
    folder_.write("list.txt", list);
  }

  [[nodiscard]] DataConfig config(BadSamples policy) const {
    return {.dataset = {.name = "ImageNetDataset",
                        .parameters = {{"image_root", folder_.file("images")},
                                       {"cls_label_path", folder_.file("list.txt")}},
                        .transforms = {{.name = "DecodeImage"}, {.name = "ToCHWImage"}}},
            .sampler = {.batch_size = 3},
            .loader = {.bad_samples = policy}};
  }
  [[nodiscard]] std::string list() const { return folder_.file("list.txt"); }

 private:
  TemporaryFolder folder_;
};

TEST(Loader, DeliversEverySampleOnce) {
  Loader loader = make_loader(synthetic_config(), 1);
  EXPECT_EQ(loader.batches_per_epoch(), 6);
  EXPECT_EQ(loader.samples_per_epoch(), 23);
  EXPECT_EQ(loader.batch_size(), 4);
  EXPECT_EQ(loader.image_shape(), (ImageShape{3, 8, 8}));
  const std::vector<Batch> batches = epoch_of(loader);
  ASSERT_EQ(batches.size(), 6U);
  EXPECT_EQ(batches[0].images.sizes(), (std::vector<std::int64_t>{4, 3, 8, 8}));
  EXPECT_EQ(batches[0].images.scalar_type(), at::kFloat);
  EXPECT_EQ(batches[5].images.size(0), 3);
  EXPECT_EQ(batches[5].labels.size(0), 3);
  std::vector<std::int64_t> all(23);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_THAT(indices_of(batches), testing::UnorderedElementsAreArray(all));
  for (const Batch& batch : batches) {
    for (std::size_t row = 0; row < batch.indices.size(); ++row) {
      EXPECT_EQ(batch.labels[static_cast<std::int64_t>(row)].item<std::int64_t>(),
                batch.indices[row] % 5);
    }
  }
  EXPECT_EQ(loader.statistics().num_samples, 23);
  EXPECT_EQ(loader.statistics().num_skipped, 0);
}

TEST(Loader, DoesNotDependOnTheNumberOfWorkers) {
  DataConfig config = synthetic_config();
  config.loader.num_workers = 0;
  Loader reference = make_loader(config, 7);
  const std::vector<Batch> expected = epoch_of(reference, {.epoch = 3});
  for (const std::int64_t workers : {1, 2, 7}) {
    config.loader.num_workers = workers;
    config.loader.prefetch_batches = workers;
    Loader loader = make_loader(config, 7);
    expect_same(epoch_of(loader, {.epoch = 3}), expected);
  }
}

TEST(Loader, ShufflesAndAugmentsAnewInEveryEpoch) {
  Loader loader = make_loader(synthetic_config(), 1);
  const std::vector<Batch> first = epoch_of(loader);
  const std::vector<Batch> second = epoch_of(loader, {.epoch = 1});
  EXPECT_NE(indices_of(first), indices_of(second));
  expect_same(epoch_of(loader), first);
  DataConfig plain = synthetic_config();
  plain.sampler.shuffle = false;
  Loader ordered = make_loader(plain, 1);
  EXPECT_FALSE(epoch_of(ordered)[0].images.equal(epoch_of(ordered, {.epoch = 1})[0].images));
  Loader other = make_loader(plain, 2);
  EXPECT_FALSE(epoch_of(ordered)[0].images.equal(epoch_of(other)[0].images));
}

TEST(Loader, GoesOnFromEveryPosition) {
  Loader loader = make_loader(synthetic_config(), 1);
  const std::vector<Batch> all = epoch_of(loader, {.epoch = 2});
  loader.start({.epoch = 2});
  for (std::size_t done = 0; done <= all.size(); ++done) {
    const LoaderPosition position = loader.position();
    Loader resumed = make_loader(synthetic_config(), 1);
    expect_same(epoch_of(resumed, position),
                std::vector<Batch>(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
    EXPECT_EQ(loader.next().has_value(), done < all.size());
  }
}

TEST(Loader, LeavesOutTheLastBatchOnRequest) {
  DataConfig config = synthetic_config();
  config.sampler.drop_last = true;
  Loader loader = make_loader(config, 1);
  EXPECT_EQ(loader.batches_per_epoch(), 5);
  const std::vector<Batch> batches = epoch_of(loader);
  EXPECT_EQ(batches.size(), 5U);
  EXPECT_EQ(batches.back().images.size(0), 4);
}

TEST(Loader, StopsAtABadSampleAndNamesIt) {
  const Files files(10, {4, 7});
  Loader loader = make_loader(files.config(BadSamples::Error), 1);
  loader.start();
  EXPECT_TRUE(loader.next().has_value());
  for (int attempt = 0; attempt < 2; ++attempt) {
    expect_user_error([&] { (void)loader.next(); },
                      "cannot use a sample: " + files.list() + ":5 '4.png': the file is no image");
  }
}

TEST(Loader, FillsBatchesPastABadSample) {
  const Files files(10, {0, 4, 7});
  Loader loader = make_loader(files.config(BadSamples::Skip), 1);
  const std::vector<Batch> batches = epoch_of(loader);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_THAT(batches[0].indices, testing::ElementsAre(1, 2, 3));
  EXPECT_THAT(batches[1].indices, testing::ElementsAre(5, 6, 8));
  EXPECT_THAT(batches[2].indices, testing::ElementsAre(9));
  EXPECT_EQ(batches[2].images.size(0), 1);
  EXPECT_EQ(batches[1].labels[2].item<std::int64_t>(), 8);
  EXPECT_EQ(batches[1].images[2][1][2][3].item<float>(), Picture::at(2, 3, 1));
  EXPECT_EQ(loader.statistics().num_skipped, 3);
  (void)epoch_of(loader, {.epoch = 1});
  EXPECT_EQ(loader.statistics().num_skipped, 3) << "different samples";
  EXPECT_EQ(loader.statistics().num_samples, 14);
}

TEST(Loader, GoesOnFromEveryPositionPastBadSamples) {
  const Files files(14, {1, 2, 3, 8});
  DataConfig config = files.config(BadSamples::Skip);
  config.sampler.shuffle = true;
  for (const bool drop_last : {false, true}) {
    config.sampler.drop_last = drop_last;
    Loader loader = make_loader(config, 5);
    const std::vector<Batch> all = epoch_of(loader);
    EXPECT_EQ(all.size(), drop_last ? 3U : 4U);
    loader.start();
    for (std::size_t done = 0; done < all.size(); ++done) {
      Loader resumed = make_loader(config, 5);
      expect_same(epoch_of(resumed, loader.position()),
                  std::vector<Batch>(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
      (void)loader.next();
    }
  }
}

TEST(Loader, RefusesADataSetWithoutAGoodSample) {
  const Files files(4, {0, 1, 2, 3});
  expect_user_error([&] { (void)make_loader(files.config(BadSamples::Skip), 1); },
                    "no sample of the data set can be used");
}

TEST(Loader, TakesImagesOfDifferentSizesOneByOne) {
  const Files growing(4, {}, 2);
  Loader batches_of_three = make_loader(growing.config(BadSamples::Error), 1);
  expect_user_error(
      [&] { (void)epoch_of(batches_of_three); },
      "the images of a batch differ in size: got 7 x 4 with 3 channels, expected 5 x 4");
  const Files files(4, {1}, 2);
  DataConfig config = files.config(BadSamples::Skip);
  config.sampler.batch_size = 1;
  Loader loader = make_loader(config, 1);
  const std::vector<Batch> batches = epoch_of(loader);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(batches[0].images.size(3), 5);
  EXPECT_EQ(batches[1].images.size(3), 9);
  EXPECT_EQ(batches[2].images.size(3), 11);
}

TEST(Loader, StopsCleanlyInTheMiddle) {
  DataConfig config = synthetic_config(10'000);
  config.loader.num_workers = 4;
  for (int taken = 0; taken < 4; ++taken) {
    Loader loader = make_loader(config, 1);
    loader.start();
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.next().has_value());
  }
  Loader loader = make_loader(config, 1);
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    loader.start({.epoch = epoch});
    EXPECT_TRUE(loader.next().has_value());
  }
  Loader moved = std::move(loader);
  EXPECT_TRUE(moved.next().has_value());
}

TEST(Loader, MeasuresTheWait) {
  DataConfig config = synthetic_config(64);
  config.loader.num_workers = 0;
  Loader loader = make_loader(config, 1);
  loader.start();
  (void)loader.next();
  const LoaderStatistics first = loader.statistics();
  EXPECT_GT(first.wait_seconds, 0);
  EXPECT_EQ(first.wait_seconds, first.last_wait_seconds);
  (void)loader.next();
  EXPECT_DOUBLE_EQ(loader.statistics().wait_seconds,
                   first.wait_seconds + loader.statistics().last_wait_seconds);
}

TEST(Loader, RefusesBadOptions) {
  const auto refuse = [](const std::function<void(DataConfig&)>& change, std::string_view text) {
    DataConfig config = synthetic_config();
    change(config);
    expect_user_error([&] { (void)make_loader(config, 1); }, text);
  };
  refuse([](DataConfig& config) { config.sampler.batch_size = 0; },
         "bad value of 'batch_size': got 0, expected a whole number in 1..1000000");
  refuse([](DataConfig& config) { config.loader.num_workers = -1; }, "bad value of 'num_workers'");
  refuse([](DataConfig& config) { config.loader.prefetch_batches = 0; },
         "bad value of 'prefetch_batches'");
  refuse(
      [](DataConfig& config) {
        config.sampler.batch_size = 1'000'000;
        config.dataset.transforms[0].parameters["size"] = whole(4096);
      },
      "a batch would be too large: got 1000000 images of 3 x 4096 x 4096 numbers");
  const Files files(2, {});
  DataConfig undecoded = files.config(BadSamples::Error);
  undecoded.dataset.transforms = {{.name = "ToCHWImage"}};
  expect_user_error(
      [&] { (void)make_loader(undecoded, 1); },
      "the data set delivers image files, but nothing decodes them (put DecodeImage first");
}

TEST(Loader, RefusesAPositionOfAnotherDataSet) {
  Loader loader = make_loader(synthetic_config(), 1);
  expect_user_error(
      [&] { loader.start({.epoch = 0, .sample = 24}); },
      "a saved position does not fit the data set: got epoch 0, sample 24, expected at "
      "most 23 samples");
  expect_user_error([&] { loader.start({.epoch = -1}); }, "got epoch -1, sample 0");
}

TEST(Loader, MustBeStarted) {
  Loader loader = make_loader(synthetic_config(), 1);
  kit::expect_internal_error([&] { (void)loader.next(); }, "Loader::next before Loader::start");
}

}  // namespace
}  // namespace espalier::data
