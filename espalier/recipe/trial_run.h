#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "espalier/recipe/image_rows.h"
#include "espalier/recipe/paired_loss.h"
#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// What the unpruned network says of the images that measure.
struct UnprunedResults {
  std::size_t batch_size = 0;  ///< images; of the last batch maybe fewer
  std::size_t images = 0;
  std::vector<Tensor> outputs = {};  ///< by batch
  // Where the metric is top-1:
  Tensor labels = {};                     ///< [images]; -1 without one
  std::vector<std::int8_t> correct = {};  ///< by image; -1 without a label
  // Where images may be left out, too:
  Tensor scores = {};                      ///< [images, classes]
  std::vector<std::int64_t> classes = {};  ///< the winning ones, by image
  std::vector<double> leads = {};          ///< how far they are ahead
};

/// One cut whose images are being run. Each image is wanted at first, and may be left out: it then
/// counts as unchanged.
class TrialRun {
 public:
  /// `unpruned` must outlive the run.
  explicit TrialRun(const UnprunedResults& unpruned);

  /// Takes in what a cut network gives for images. Several threads may do so at once for different
  /// images.
  void record(const ImageUnit& unit, const Tensor& output);
  /// Of the images from `first` on that have not run, leaves out those that are safe by what has
  /// (find_safe_images) and wants the others; whether there are any.
  bool leave_out_safe(std::size_t first);

  [[nodiscard]] bool wants(std::size_t image) const { return states_[image] == State::Wanted; }
  [[nodiscard]] std::int64_t num_ran() const { return std::ranges::count(states_, State::Ran); }

  // Of the first `images`, without those that are still wanted:

  /// Loss of top-1 in points, or the divergence where there are no labels.
  [[nodiscard]] PairedMean loss(std::size_t images) const;
  /// How many labels the cut network has right.
  [[nodiscard]] std::int64_t num_correct(std::size_t images) const;
  /// Images that were left out count as the mean of those with the same winning class and as large
  /// a lead that ran; where there are none, of those with as large a lead.
  [[nodiscard]] double mean_divergence(std::size_t images) const;

 private:
  enum class State : std::uint8_t { Wanted, LeftOut, Ran };

  const UnprunedResults& unpruned_;
  std::vector<State> states_;
  std::vector<std::int8_t> correct_;
  std::vector<double> divergence_;
  Tensor scores_;
};

}  // namespace espalier::recipe
