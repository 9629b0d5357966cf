#include "espalier/data/subset.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "espalier/base/check.h"
#include "espalier/base/random.h"

namespace espalier::data {
namespace {

/// All positions in an order drawn with `seed`.
std::vector<std::size_t> draw_order(std::size_t size, std::uint64_t seed) {
  constexpr std::uint64_t kStream = 0x5AB5E7;
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  base::Random random(seed, kStream);
  random.shuffle(std::span(order));
  return order;
}

}  // namespace

Subset::Subset(DatasetPtr parent, std::vector<std::size_t> indices)
    : parent_(std::move(parent)), indices_(std::move(indices)) {
  base::check(!indices_.empty(), "a subset of the data set holds no sample");
  const std::size_t largest = *std::ranges::max_element(indices_);
  base::check(largest < parent_->size(),
              "a subset names a sample that does not exist: got index {}, expected below {}",
              largest, parent_->size());
}

Sample Subset::read(std::size_t index) const {
  return parent_->read(indices_[index]);
}

std::string Subset::describe(std::size_t index) const {
  return parent_->describe(indices_[index]);
}

DatasetPtr first_samples(DatasetPtr dataset, std::size_t count) {
  if (count >= dataset->size()) return dataset;
  std::vector<std::size_t> indices(count);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return std::make_shared<Subset>(std::move(dataset), std::move(indices));
}

DatasetPtr random_samples(DatasetPtr dataset, std::size_t count, std::uint64_t seed) {
  if (count >= dataset->size()) return dataset;
  std::vector<std::size_t> indices = draw_order(dataset->size(), seed);
  indices.resize(count);
  std::ranges::sort(indices);
  return std::make_shared<Subset>(std::move(dataset), std::move(indices));
}

HeldOut hold_out(DatasetPtr dataset, std::size_t count, std::uint64_t seed) {
  base::check(count >= 1 && count < dataset->size(),
              "cannot hold out samples: got {}, expected 1..{}", count, dataset->size() - 1);
  std::vector<std::size_t> order = draw_order(dataset->size(), seed);
  std::vector<std::size_t> rest(order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
  order.resize(count);
  std::ranges::sort(order);
  std::ranges::sort(rest);
  return {.rest = std::make_shared<Subset>(dataset, std::move(rest)),
          .held_out = std::make_shared<Subset>(dataset, std::move(order))};
}

}  // namespace espalier::data
