#include "espalier/data/subset.h"

#include <set>

#include <gmock/gmock.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

DatasetPtr twenty() {
  return open_dataset(
      {.name = "Synthetic",
       .parameters = {{"count", whole(20)}, {"size", whole(4)}, {"classes", whole(3)}}});
}

std::vector<std::size_t> indices_of(const DatasetPtr& dataset) {
  return dynamic_cast<const Subset&>(*dataset).indices();
}

TEST(Subset, ShowsSamplesOfItsParent) {
  const DatasetPtr parent = twenty();
  const Subset subset(parent, {7, 3});
  EXPECT_EQ(subset.size(), 2U);
  EXPECT_EQ(subset.read(0).storage, parent->read(7).storage);
  EXPECT_EQ(subset.read(1).label, 0);
  EXPECT_EQ(subset.describe(1), "synthetic image 3");
  EXPECT_EQ(subset.num_classes(), 3);
  EXPECT_FALSE(subset.encoded());
}

TEST(Subset, RefusesWhatIsNotThere) {
  expect_user_error([] { (void)Subset(twenty(), {}); }, "a subset of the data set holds no sample");
  expect_user_error(
      [] {
        (void)Subset(twenty(), {3, 20});
      },
      "a subset names a sample that does not exist: got index 20, expected below 20");
}

TEST(FirstSamples, AreTheFirst) {
  EXPECT_THAT(indices_of(first_samples(twenty(), 3)), testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(first_samples(twenty(), 50)->size(), 20U);
}

TEST(RandomSamples, DependOnTheSeedAlone) {
  const auto indices = indices_of(random_samples(twenty(), 6, 1));
  EXPECT_EQ(indices.size(), 6U);
  EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end()));
  EXPECT_EQ(std::set(indices.begin(), indices.end()).size(), 6U);
  EXPECT_EQ(indices, indices_of(random_samples(twenty(), 6, 1)));
  EXPECT_NE(indices, indices_of(random_samples(twenty(), 6, 2)));
  EXPECT_EQ(random_samples(twenty(), 20, 1)->size(), 20U);
}

TEST(HoldOut, SplitsWithoutOverlap) {
  const HeldOut parts = hold_out(twenty(), 5, 3);
  EXPECT_EQ(parts.held_out->size(), 5U);
  EXPECT_EQ(parts.rest->size(), 15U);
  std::set<std::size_t> all;
  for (const DatasetPtr& part : {parts.rest, parts.held_out}) {
    const auto indices = indices_of(part);
    all.insert(indices.begin(), indices.end());
  }
  EXPECT_EQ(all.size(), 20U);
  expect_user_error([] { (void)hold_out(twenty(), 20, 1); },
                    "cannot hold out samples: got 20, expected 1..19");
  expect_user_error([] { (void)hold_out(twenty(), 0, 1); }, "got 0");
}

}  // namespace
}  // namespace espalier::data
