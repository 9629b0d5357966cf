#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "espalier/data/dataset.h"

namespace espalier::data {

/// Some samples of another data set, in the given order.
class Subset : public Dataset {
 public:
  /// Throws UserError when `indices` is empty or names a sample that does not exist.
  Subset(DatasetPtr parent, std::vector<std::size_t> indices);

  [[nodiscard]] std::size_t size() const override { return indices_.size(); }
  [[nodiscard]] Sample read(std::size_t index) const override;
  [[nodiscard]] std::string describe(std::size_t index) const override;
  [[nodiscard]] std::string path(std::size_t index) const override {
    return parent_->path(indices_[index]);
  }
  [[nodiscard]] std::int64_t num_classes() const override { return parent_->num_classes(); }
  [[nodiscard]] std::vector<std::string> class_names() const override {
    return parent_->class_names();
  }
  [[nodiscard]] bool encoded() const override { return parent_->encoded(); }
  [[nodiscard]] std::size_t num_skipped() const override { return parent_->num_skipped(); }
  /// Positions in the parent.
  [[nodiscard]] const std::vector<std::size_t>& indices() const { return indices_; }

 private:
  DatasetPtr parent_;
  std::vector<std::size_t> indices_;
};

/// The first `count` samples; all of them when there are fewer. count >= 1.
[[nodiscard]] DatasetPtr first_samples(DatasetPtr dataset, std::size_t count);
/// `count` different samples drawn with `seed`, in ascending order; all when there are fewer.
[[nodiscard]] DatasetPtr random_samples(DatasetPtr dataset, std::size_t count, std::uint64_t seed);

/// Two disjoint parts of one data set.
struct HeldOut {
  DatasetPtr rest;
  DatasetPtr held_out;
};
/// Draws `count` samples with `seed` for `held_out`; the others are `rest`. 1 <= count < size.
[[nodiscard]] HeldOut hold_out(DatasetPtr dataset, std::size_t count, std::uint64_t seed);

}  // namespace espalier::data
