#include "espalier/train/loader_source.h"

#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

data::Loader synthetic_loader() {
  data::DataConfig config;
  config.dataset.name = "Synthetic";
  config.dataset.parameters = {{"count", std::int64_t{20}},
                               {"classes", std::int64_t{4}},
                               {"size", std::int64_t{8}},
                               {"channels", std::int64_t{1}}};
  config.dataset.transforms = {{.name = "ToCHWImage"}};
  config.sampler = {.batch_size = 6, .shuffle = true};
  return data::make_loader(config, 3);
}

TEST(LoaderSource, ContinuesFromAPosition) {
  data::Loader loader = synthetic_loader();
  LoaderSource source(loader);
  EXPECT_EQ(source.batches_per_epoch(), 4);
  source.start({.epoch = 2});
  ASSERT_TRUE(source.next().has_value());
  const SourcePosition place = source.position();
  EXPECT_EQ(place, (SourcePosition{.epoch = 2, .offset = 6}));
  const std::optional<data::Batch> expected = source.next();
  ASSERT_TRUE(expected.has_value());
  source.start({.epoch = 5});
  source.start(place);
  const std::optional<data::Batch> actual = source.next();
  ASSERT_TRUE(actual.has_value());
  EXPECT_EQ(actual->indices, expected->indices);
  EXPECT_THAT(actual->images, kit::HasSameBits(expected->images));
}

TEST(LoaderSource, EndsWithTheEpochAlsoWhenStartedThere) {
  data::Loader loader = synthetic_loader();
  LoaderSource source(loader);
  source.start({.epoch = 1});
  int batches = 0;
  while (source.next()) ++batches;
  EXPECT_EQ(batches, 4);
  source.start(source.position());
  EXPECT_FALSE(source.next().has_value());
}

}  // namespace
}  // namespace espalier::train
