#include "espalier/data/datasets/synthetic.h"

#include <array>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

DatasetPtr open(Parameters parameters) {
  return open_dataset({.name = "Synthetic", .parameters = std::move(parameters)});
}

TEST(Synthetic, IsAFunctionOfSeedAndIndex) {
  const DatasetPtr first = open({{"seed", whole(3)}});
  const DatasetPtr second = open({{"seed", whole(3)}});
  EXPECT_EQ(first->read(17).storage, second->read(17).storage);
  EXPECT_NE(first->read(17).storage, first->read(27).storage) << "same class, another sample";
  EXPECT_NE(first->read(17).storage, open({{"seed", whole(4)}})->read(17).storage);
}

TEST(Synthetic, HasTheShapeAskedFor) {
  const DatasetPtr dataset = open({{"size", std::vector<double>{12, 7}},
                                   {"channels", whole(1)},
                                   {"classes", whole(4)},
                                   {"count", whole(9)}});
  EXPECT_EQ(dataset->size(), 9U);
  EXPECT_EQ(dataset->num_classes(), 4);
  const Sample sample = dataset->read(6);
  EXPECT_EQ(sample.label, 2);
  EXPECT_EQ(sample.pixels.width, 12);
  EXPECT_EQ(sample.pixels.height, 7);
  EXPECT_EQ(sample.pixels.bytes.size(), 84U);
}

/// Products of neighbouring pixels, which do not depend on the phase of a grating.
std::vector<double> features(const Sample& sample) {
  constexpr std::array<std::pair<int, int>, 6> kSteps{
      {{1, 0}, {0, 1}, {1, 1}, {1, -1}, {2, 0}, {0, 2}}};
  const auto side = static_cast<int>(sample.pixels.width);
  const auto at = [&](int y, int x) {
    return static_cast<double>(sample.pixels.bytes[static_cast<std::size_t>((y * side + x) * 3)]) -
           128;
  };
  std::vector<double> result;
  double energy = 0;
  for (const auto& [dx, dy] : kSteps) {
    double sum = 0;
    for (int y = 2; y < side - 2; ++y) {
      for (int x = 2; x < side - 2; ++x) {
        sum += at(y, x) * at(y + dy, x + dx);
        energy += at(y, x) * at(y, x);
      }
    }
    result.push_back(sum);
  }
  for (double& value : result) value *= 6 / energy;
  return result;
}

double distance(const std::vector<double>& left, const std::vector<double>& right) {
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i) sum += (left[i] - right[i]) * (left[i] - right[i]);
  return sum;
}

TEST(Synthetic, ClassesCanBeLearnedAndHoldForAnotherSeed) {
  const Parameters shape{{"size", whole(24)}, {"classes", whole(4)}, {"count", whole(200)}};
  std::map<std::int64_t, std::vector<double>> centres;
  const DatasetPtr training = open(shape);
  for (std::size_t i = 0; i < training->size(); ++i) {
    const Sample sample = training->read(i);
    const std::vector<double> found = features(sample);
    std::vector<double>& centre = centres[sample.label];
    centre.resize(found.size());
    for (std::size_t k = 0; k < found.size(); ++k) centre[k] += found[k] / 50;
  }
  Parameters other = shape;
  other["seed"] = whole(99);
  const DatasetPtr test = open(other);
  int right = 0;
  for (std::size_t i = 0; i < test->size(); ++i) {
    const Sample sample = test->read(i);
    const std::vector<double> found = features(sample);
    double best = std::numeric_limits<double>::infinity();
    std::int64_t guess = -1;
    for (const auto& [label, centre] : centres) {
      if (const double here = distance(found, centre); here < best) {
        best = here;
        guess = label;
      }
    }
    right += guess == sample.label ? 1 : 0;
  }
  EXPECT_GT(right, 150) << "of 200; chance is 50";
}

TEST(Synthetic, RefusesBadParameters) {
  kit::expect_user_error(
      [] {
        (void)open({{"count", whole(0)}});
      },
      "bad value of 'count': Synthetic: got 0, expected a whole number in 1..");
  kit::expect_user_error([] { (void)open({{"channels", whole(2)}}); }, "got 2, expected 1 or 3");
  kit::expect_user_error(
      [] {
        (void)open({{"noise", -1.0}});
      },
      "got -1, expected a number in 0..255");
}

}  // namespace
}  // namespace espalier::data
