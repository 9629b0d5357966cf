#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "espalier/data/config.h"
#include "espalier/data/dataset.h"
#include "espalier/data/sample.h"
#include "espalier/data/transform_chain.h"

namespace espalier::data {

/// A batch in the making: all rows that were planned, with what went wrong in some.
struct PlannedBatch {
  Batch batch;
  std::int64_t first_sample = 0;      ///< place of row 0 in the order of the epoch
  std::vector<std::string> problems;  ///< one a row; empty: the row is good
  [[nodiscard]] std::int64_t num_rows() const { return static_cast<std::int64_t>(problems.size()); }
  [[nodiscard]] bool complete() const;
};

/// Produces the rows of planned batches for one epoch. Const use from several threads is safe for
/// different rows.
class BatchProducer {
 public:
  struct Source {
    DatasetPtr dataset;
    std::shared_ptr<const TransformChain> transforms;
    BadSamples policy = BadSamples::Error;
    std::uint64_t seed = 0;
    ImageShape shape;  ///< of every image; of the first when batches hold one image
    std::int64_t batch_size = 1;
  };
  /// `order`: the samples of the epoch in the order of delivery.
  BatchProducer(Source source, std::int64_t epoch, std::vector<std::size_t> order);

  /// Room for rows first .. first + count of the order.
  [[nodiscard]] PlannedBatch plan(std::int64_t first, std::int64_t count) const;
  /// Reads, transforms and writes one row. Throws UserError naming the sample, or keeps that text
  /// as the row's problem when the policy is Skip.
  void fill_row(PlannedBatch& planned, std::int64_t row) const;

 private:
  void write_row(PlannedBatch& planned, std::int64_t row) const;

  Source source_;
  std::uint64_t epoch_;
  std::vector<std::size_t> order_;
};

/// Size of the images of a data set: that of its first good sample. Throws UserError when a sample
/// is bad (BadSamples::Error) or all of the first hundred are.
[[nodiscard]] ImageShape find_image_shape(const Dataset& dataset, const TransformChain& transforms,
                                          BadSamples policy);

/// The order of an epoch: ascending, or shuffled by seed and epoch.
[[nodiscard]] std::vector<std::size_t> sample_order(std::size_t size, bool shuffle,
                                                    std::uint64_t seed, std::int64_t epoch);

}  // namespace espalier::data
