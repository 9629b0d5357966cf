#include "espalier/recipe/batches.h"

#include <set>

#include <gtest/gtest.h>

#include "espalier/data/subset.h"
#include "tests/kit/expect_error.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

std::set<std::size_t> positions(const data::DatasetPtr& dataset) {
  const auto& subset = dynamic_cast<const data::Subset&>(*dataset);
  return {subset.indices().begin(), subset.indices().end()};
}

TEST(Batches, CalibrationAndJudgingImagesNeverMeet) {
  const QuantizationData data = open_quantization_data(synthetic_splits(20), {.samples = 8}, 0);
  const auto calibration = positions(data.calibration);
  const auto judging = positions(data.judging);
  EXPECT_EQ(calibration.size(), 8U);
  EXPECT_EQ(judging.size(), 12U);
  for (const std::size_t index : calibration) EXPECT_FALSE(judging.contains(index));
}

TEST(Batches, ASmallSplitIsHalved) {
  const QuantizationData data = open_quantization_data(synthetic_splits(10), {.samples = 512}, 0);
  EXPECT_EQ(data.calibration->size(), 5U);
  EXPECT_EQ(data.judging->size(), 5U);
  kit::expect_user_error([] { (void)open_quantization_data(synthetic_splits(1), {}, 0); },
                         "too few images");
}

TEST(Batches, SourcesGiveEveryImageOnce) {
  const QuantizationData data = open_quantization_data(synthetic_splits(20), {.samples = 8}, 5);
  const quant::BatchSource next = calibration_source(data, 3);
  std::int64_t images = 0;
  for (std::vector<Tensor> batch = next(); !batch.empty(); batch = next()) {
    images += batch.front().size(0);
  }
  EXPECT_EQ(images, 8);
  const auto passes = judging_source(data, 2);
  for (int pass = 0; pass < 2; ++pass) {
    const deploy::NextBatch next_batch = passes();
    std::int64_t judged = 0;
    while (const auto batch = next_batch()) judged += batch->images.size(0);
    EXPECT_EQ(judged, 5);
  }
}

}  // namespace
}  // namespace espalier::recipe
