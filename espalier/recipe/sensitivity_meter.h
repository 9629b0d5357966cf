#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/recipe/image_rows.h"
#include "espalier/recipe/measuring_images.h"
#include "espalier/recipe/paired_loss.h"
#include "espalier/recipe/prefix_cache.h"
#include "espalier/recipe/sensitivity_store.h"
#include "espalier/recipe/sensitivity_trials.h"
#include "espalier/recipe/trial_run.h"

namespace espalier::recipe {

/// What a loss is taken of.
enum class SensitivityMetric {
  Top1,       ///< percent of labels that are the largest score; losses are points
  Divergence  ///< of the softened outputs from the unpruned network's: needs no labels
};
/// "top1", "divergence". Throws UserError with a suggestion for another name.
[[nodiscard]] SensitivityMetric parse_sensitivity_metric(std::string_view name);
[[nodiscard]] std::string_view to_string(SensitivityMetric metric);

struct MeterOptions {
  SensitivityMetric metric = SensitivityMetric::Top1;
  /// A measurement stops once the 95 % interval of its loss lies wholly above; nothing: never.
  std::optional<double> max_loss = std::nullopt;
  int threads = 1;
  std::uint64_t cache_bytes = std::uint64_t{1} << 30;  ///< of activations that are held
};

/// Measures what groups of channels are worth: cuts them, and runs what lies behind the cut on the
/// activations before it. Results depend on the graph and the images alone, not on threads, cache,
/// or the order of the groups.
///
/// With a largest loss of top-1 (MeterOptions::max_loss) images are left out, too, whose class a
/// cut cannot be expected to change (find_safe_images), judged by the images that the same point
/// has run: at each look for the images that follow, and in the end once more for all, until those
/// that are left out are safe by everything that has run. They count as unchanged.
class SensitivityMeter {
 public:
  /// Runs the unpruned graph on all images. `groups` are those that may be measured. Graph and
  /// groups must outlive the meter. Throws UserError when the output has no classes or the metric
  /// needs labels and there are none.
  SensitivityMeter(const ir::Graph& graph, MeasuringImages images,
                   const std::vector<GroupTrials>& groups, const MeterOptions& options);
  SensitivityMeter(const SensitivityMeter&) = delete;
  SensitivityMeter& operator=(const SensitivityMeter&) = delete;

  [[nodiscard]] const MeasuringImages& images() const { return images_; }

  /// Metric of the unpruned graph: percent, or 0 for the divergence.
  [[nodiscard]] double baseline() const { return baseline_; }
  /// CPU time that the unpruned graph took on all images.
  [[nodiscard]] double baseline_cpu_seconds() const { return baseline_cpu_seconds_; }

  /// Measures trials of a group, by their positions in GroupTrials::trials. Gives each point to
  /// `found` as soon as it is known. Throws Interrupted on a signal.
  void measure(const GroupTrials& group, const std::vector<std::size_t>& trials,
               const std::function<void(const SensitivityPoint&)>& found);

 private:
  struct Running;
  using RunningByCount = std::map<std::int64_t, Running>;  ///< by channels: equal numbers run once

  void judge_baseline();
  [[nodiscard]] bool leaves_out() const;
  [[nodiscard]] ir::Graph cut_behind(const GroupTrials& group, std::size_t trial);
  void reestimate(ir::Graph& suffix, const GroupTrials& group);
  void run_round(RunningByCount& by_count, const GroupTrials& group,
                 const std::function<void(std::int64_t removed, Running&)>& ended);
  [[nodiscard]] std::vector<char> needed_batches(const RunningByCount& by_count) const;
  void run_part(Running& running, const GroupTrials& group, std::size_t first, std::size_t last);
  [[nodiscard]] std::vector<ImageUnit> take_units(Running& running, std::size_t first,
                                                  std::size_t last) const;
  void look(Running& running) const;
  [[nodiscard]] SensitivityPoint to_point(const GroupTrials& group, const Running& running) const;
  [[nodiscard]] SensitivityPoint unchanged_point(const GroupTrials& group,
                                                 const Trial& trial) const;

  const ir::Graph& graph_;
  MeasuringImages images_;
  MeterOptions options_;
  std::string output_;
  bool probabilities_;         ///< the output is a Softmax
  std::uint64_t cache_bytes_;  ///< of each cache
  PrefixCache cache_;
  std::optional<PrefixCache> further_cache_;  ///< of the images for re-estimation
  UnprunedResults unpruned_;
  std::vector<std::size_t> ends_;  ///< number of images up to and with each batch
  bool gathers_ = false;           ///< images of different batches may run together
  std::vector<std::int64_t> looks_;
  double look_quantile_ = kQuantile95;
  double baseline_ = 0;
  double baseline_cpu_seconds_ = 0;
};

/// CPU time of this process so far, all threads together.
[[nodiscard]] double cpu_seconds();

}  // namespace espalier::recipe
