#include "espalier/data/labels.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::data {
namespace {

using kit::integers_of;

TEST(CheckLabels, NamesTheSampleWhoseLabelIsNoClass) {
  check_labels({.images = {}, .labels = integers_of({0, 1, -1}), .indices = {4, 8, 2}}, 2);
  const Batch wrong{.images = {}, .labels = integers_of({0, 2, 9}), .indices = {4, 8, 2}};
  kit::expect_user_error([&] { check_labels(wrong, 2); },
                         "a label is outside the classes of the model: sample 8 of the data set: "
                         "got 2, expected 0 to 1");
}

TEST(CheckLabels, CountsPixelsOfASampleTogether) {
  const Batch wrong{
      .images = {}, .labels = integers_of({0, 1, 0, 5}, {2, 1, 2}), .indices = {7, 3}};
  kit::expect_user_error([&] { check_labels(wrong, 2); }, "sample 3 of the data set: got 5");
}

}  // namespace
}  // namespace espalier::data
