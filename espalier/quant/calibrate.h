#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/histogram.h"
#include "espalier/tensor/tensor.h"

namespace espalier::quant {

/// What calibration knows about one value of the graph.
struct ValueStatistics {
  Histogram histogram;
  /// Sums over the samples of each sample's minimum, maximum and largest magnitude (`avg` method).
  double sum_of_minima = 0;
  double sum_of_maxima = 0;
  double sum_of_magnitudes = 0;
  std::uint64_t samples = 0;

  bool operator==(const ValueStatistics&) const = default;
};

/// Adds the counts and sums of another value's (or another sample set's) statistics.
void merge_into(ValueStatistics& statistics, const ValueStatistics& more);

/// First and second moment of each channel of a value that feeds a layer with weights.
struct ChannelMoments {
  std::vector<double> mean;         ///< E[x]
  std::vector<double> mean_square;  ///< E[x^2]

  bool operator==(const ChannelMoments&) const = default;
};

/// What one pass over the calibration data found.
struct Statistics {
  std::string model_id;  ///< of the graph it was collected on
  std::size_t samples = 0;
  std::size_t micro_batch = 0;
  std::map<std::string, ValueStatistics> values = {};
  std::map<std::string, ChannelMoments> channels = {};

  bool operator==(const Statistics&) const = default;
};

/// Gives the model's inputs, by position, for the next samples (any number of them along the first
/// dimension, the same for every input); an empty list ends the data. Never called by two threads
/// at once.
using BatchSource = std::function<std::vector<Tensor>()>;

struct CalibrationOptions {
  std::size_t samples = 512;    ///< at most; fewer when the source ends before
  std::size_t micro_batch = 8;  ///< samples run together; part of what decides the result's bytes
  int threads = 1;              ///< workers, each with one intra-operator thread; changes no byte
  /// Collect E[x] and E[x^2] per channel for the inputs of layers with weights.
  bool channel_moments = true;
  /// Told the samples done so far.
  std::function<void(std::size_t done)> progress = {};
};

/// Runs the graph over the samples once and collects the statistics of `values`. Memory: the
/// program's, one histogram a value and worker, and the micro-batches in flight.
/// Throws UserError for a value that is not in the graph, an empty source, a value with NaN or
/// infinities (named), and Interrupted.
[[nodiscard]] Statistics collect(const ir::Graph& graph, std::span<const std::string> values,
                                 const BatchSource& next, const CalibrationOptions& options);

/// Joins statistics of disjoint samples of the same model: histograms exactly, means weighted by
/// samples. Throws UserError when the models differ.
[[nodiscard]] Statistics merge(const Statistics& first, const Statistics& second);

/// Bytes of a statistics file (a calibration cache); equal statistics give equal bytes.
[[nodiscard]] std::string to_bytes(const Statistics& statistics);
/// Reads them back. Throws UserError for bytes that are not a sound statistics file; `where` names
/// them.
[[nodiscard]] Statistics statistics_from_bytes(std::string_view bytes, std::string_view where);

}  // namespace espalier::quant
