#include "espalier/data/batch_producer.h"

#include <numeric>
#include <set>

#include <gmock/gmock.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

/// Pictures of growing width; those in `bad` cannot be read.
class Pictures : public Dataset {
 public:
  explicit Pictures(std::set<std::size_t> bad, std::int64_t growth = 0)
      : bad_(std::move(bad)), growth_(growth) {}
  [[nodiscard]] std::size_t size() const override { return 10; }
  [[nodiscard]] Sample read(std::size_t index) const override {
    const Picture picture{.height = 4, .width = 5 + growth_ * static_cast<std::int64_t>(index)};
    const std::string content = bad_.contains(index) ? "no image" : picture.encode(".png");
    return {.label = static_cast<std::int64_t>(index) * 2, .encoded = content};
  }
  [[nodiscard]] std::string describe(std::size_t index) const override {
    return "picture " + std::to_string(index);
  }
  [[nodiscard]] std::int64_t num_classes() const override { return 20; }
  [[nodiscard]] bool encoded() const override { return true; }

 private:
  std::set<std::size_t> bad_;
  std::int64_t growth_;
};

std::shared_ptr<const TransformChain> plain_chain() {
  return std::make_shared<const TransformChain>(
      std::vector<TransformConfig>{{.name = "DecodeImage"}, {.name = "ToCHWImage"}});
}

BatchProducer::Source source_of(Pictures pictures, BadSamples policy) {
  return {.dataset = std::make_shared<Pictures>(std::move(pictures)),
          .transforms = plain_chain(),
          .policy = policy,
          .shape = {.channels = 3, .height = 4, .width = 5},
          .batch_size = 3};
}

TEST(BatchProducer, WritesRowsInTheOrderOfTheEpoch) {
  const BatchProducer producer(source_of(Pictures({}), BadSamples::Error), 0, {7, 2, 5, 0});
  PlannedBatch planned = producer.plan(1, 3);
  for (std::int64_t row = 2; row >= 0; --row) producer.fill_row(planned, row);
  EXPECT_TRUE(planned.complete());
  EXPECT_THAT(planned.batch.indices, testing::ElementsAre(2, 5, 0));
  EXPECT_EQ(planned.batch.labels[1].item<std::int64_t>(), 10);
  EXPECT_EQ(planned.batch.images[2][1][3][4].item<float>(), Picture::at(3, 4, 1));
}

TEST(BatchProducer, NamesABadSample) {
  const BatchProducer producer(source_of(Pictures({2}), BadSamples::Error), 0, {2});
  PlannedBatch planned = producer.plan(0, 1);
  expect_user_error([&] { producer.fill_row(planned, 0); },
                    "cannot use a sample: picture 2: the file is no image");
}

TEST(BatchProducer, KeepsTheProblemOfASkippedSample) {
  const BatchProducer producer(source_of(Pictures({2}), BadSamples::Skip), 0, {1, 2});
  PlannedBatch planned = producer.plan(0, 2);
  producer.fill_row(planned, 0);
  producer.fill_row(planned, 1);
  EXPECT_FALSE(planned.complete());
  EXPECT_THAT(planned.problems,
              testing::ElementsAre("", testing::HasSubstr("picture 2: the file is no image")));
}

TEST(BatchProducer, RefusesImagesOfAnotherSize) {
  const BatchProducer producer(source_of(Pictures({}, 1), BadSamples::Error), 0, {0, 1});
  PlannedBatch planned = producer.plan(0, 2);
  producer.fill_row(planned, 0);
  expect_user_error([&] { producer.fill_row(planned, 1); },
                    "picture 1: the images of a batch differ in size: got 6 x 4 with 3 channels, "
                    "expected 5 x 4 with 3 channels");
}

TEST(FindImageShape, ReadsTheFirstGoodSample) {
  const auto chain = plain_chain();
  EXPECT_EQ(find_image_shape(Pictures({}), *chain, BadSamples::Error),
            (ImageShape{.channels = 3, .height = 4, .width = 5}));
  EXPECT_EQ(find_image_shape(Pictures({0, 1}, 1), *chain, BadSamples::Skip).width, 7);
  expect_user_error([&] { (void)find_image_shape(Pictures({0}), *chain, BadSamples::Error); },
                    "cannot use a sample: picture 0");
  const Pictures all_bad({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  expect_user_error([&] { (void)find_image_shape(all_bad, *chain, BadSamples::Skip); },
                    "no sample of the data set can be used: the first: got picture 0");
}

TEST(SampleOrder, ShufflesBySeedAndEpoch) {
  EXPECT_THAT(sample_order(4, false, 1, 3), testing::ElementsAre(0, 1, 2, 3));
  const auto first = sample_order(100, true, 1, 0);
  EXPECT_EQ(first, sample_order(100, true, 1, 0));
  EXPECT_NE(first, sample_order(100, true, 1, 1));
  EXPECT_NE(first, sample_order(100, true, 2, 0));
  std::vector<std::size_t> all(100);
  std::iota(all.begin(), all.end(), std::size_t{0});
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(all));
}

}  // namespace
}  // namespace espalier::data
