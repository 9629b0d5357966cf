#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "espalier/recipe/data_yaml.h"
#include "espalier/recipe/sensitivity_meter.h"
#include "espalier/recipe/sensitivity_store.h"
#include "espalier/recipe/sensitivity_trials.h"
#include "espalier/report/progress.h"

namespace espalier::recipe {

struct SensitivityRequest {
  std::filesystem::path model;  ///< ONNX or checkpoint
  DataSplits data = {};
  TrialOptions trials = {};
  MeterOptions meter = {};
  std::int64_t samples = 2000;     ///< images that measure
  std::int64_t reestimate_bn = 0;  ///< further images that renew BatchNormalization after a cut
  std::uint64_t seed = 0;
  std::filesystem::path output = "sensitivity.csv";
  bool resume = false;
  int workers = 1;
  /// Command line of a worker process, which must call serve_sensitivity for the same request with
  /// its share of the threads. Needed for more than one worker.
  std::vector<std::string> worker_command = {};
  report::ProgressStyle progress = report::ProgressStyle::Auto;
};

struct SensitivityResult {
  SensitivityStore store = {};
  std::vector<UntouchedGroup> untouched = {};
  std::int64_t measured = 0;  ///< points of this run; the others were in the file
  double seconds = 0;
  /// CPU time of the sweep / (points of this run x CPU time of one evaluation of the unpruned
  /// model); 0 where workers measured, or nothing was.
  double cost = 0;
};

/// Model, images and trials of a request, ready to measure.
class SensitivityJob {
 public:
  /// Throws UserError and UnsupportedError for a model, data or options that do not fit.
  explicit SensitivityJob(const SensitivityRequest& request);

  [[nodiscard]] const ir::Graph& graph() const { return graph_; }
  [[nodiscard]] const TrialPlan& plan() const { return plan_; }
  /// Reads the images and runs the unpruned model; SensitivityMeter's errors.
  void prepare();
  /// Of the file that the results go to. After prepare().
  [[nodiscard]] SensitivityHeader header() const;
  [[nodiscard]] SensitivityMeter& meter() { return *meter_; }

 private:
  const SensitivityRequest& request_;
  ir::Graph graph_;
  TrialPlan plan_;
  std::unique_ptr<SensitivityMeter> meter_;
};

/// Trials of one group that are still to be measured.
struct OpenTrials {
  std::size_t group = 0;  ///< position in TrialPlan::groups
  std::vector<std::size_t> trials = {};
};

/// What a file lacks: points that are missing, or that stopped although they would not stop under
/// these options.
[[nodiscard]] std::vector<OpenTrials> open_trials(const TrialPlan& plan,
                                                  const SensitivityStore& store,
                                                  const MeterOptions& options);

/// Measures every group at every ratio, in this process or in workers, and writes each point to the
/// file as soon as it is known; at the end the file is in the graph's order whatever the number of
/// workers. Throws UserError and UnsupportedError for a model, data or file that do not fit;
/// Interrupted on a signal: the file can then be gone on with.
[[nodiscard]] SensitivityResult analyse_sensitivity(const SensitivityRequest& request);

/// A worker process. Writes "header TEXT" once, then for each line "GROUP TRIAL..." of `orders` a
/// "point CSV" for each trial and "done", until `orders` end.
void serve_sensitivity(const SensitivityRequest& request, std::istream& orders,
                       std::ostream& answers);

}  // namespace espalier::recipe
