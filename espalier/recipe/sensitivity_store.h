#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/base/append_file.h"
#include "espalier/prune/loss_curve.h"

namespace espalier::recipe {

/// What all points of a sensitivity file were measured on.
struct SensitivityHeader {
  std::string model = {};  ///< title, for readers
  /// analysis::model_id of the graph behind passes::prepare_for_pruning.
  std::string model_id = {};
  std::string data = {};       ///< "2000 of 50000 images, seed 0", for readers
  std::string data_id = {};    ///< content id of the images and labels
  std::string criterion = {};  ///< which channels of a group go first
  std::string metric = {};     ///< "top1" or "divergence"
  std::int64_t images = 0;
  std::uint64_t seed = 0;
  std::int64_t reestimated =
      0;                ///< images that BatchNormalization is re-estimated on; 0: it is not
  double baseline = 0;  ///< metric of the unpruned model
  bool operator==(const SensitivityHeader&) const = default;
};

/// One group without some of its channels. Top-1 is in percent, its loss in points.
struct SensitivityPoint {
  std::string group = {};  ///< prune::ChannelGroup::name
  double ratio = 0;        ///< share of the channels that was asked for
  std::int64_t channels = 0;
  std::int64_t removed = 0;  ///< channels: the nearest number to the ratio
  double metric = 0;         ///< of the pruned model, over the images seen
  double loss = 0;           ///< against the unpruned model over the same images
  double low = 0;            ///< 95 % interval of the loss, paired over images
  double high = 0;
  double divergence = 0;    ///< mean of KL(unpruned || pruned) of the softened outputs
  std::int64_t images = 0;  ///< that were run
  bool stopped = false;  ///< not all images were seen: the loss is surely above the bound asked for
  bool operator==(const SensitivityPoint&) const = default;

  /// Share of the channels that is really removed.
  [[nodiscard]] double share() const {
    return static_cast<double>(removed) / static_cast<double>(channels);
  }
};

/// The content of a sensitivity file (docs/formats.md).
struct SensitivityStore {
  SensitivityHeader header = {};
  std::vector<SensitivityPoint> points = {};  ///< one a group and ratio, in order of appearance

  /// Null when the group was not measured at this ratio.
  [[nodiscard]] const SensitivityPoint* find(std::string_view group, double ratio) const;
  /// Adds a point; of two for the same group and ratio the one that saw more images stays.
  void add(SensitivityPoint point);
};

[[nodiscard]] std::string to_text(const SensitivityStore& store);
/// One line of the file, with its line feed.
[[nodiscard]] std::string to_line(const SensitivityPoint& point);
/// Reads a line that to_line wrote. Throws UserError naming `where`.
[[nodiscard]] SensitivityPoint parse_point(std::string_view line, const std::string& where);
/// Reads the text of a file; a last line without line feed, which a kill has torn, is left out with
/// a warning. Throws UserError naming `source` and line for anything else that to_text would not
/// write.
[[nodiscard]] SensitivityStore parse_sensitivities(std::string_view text,
                                                   const std::string& source);
[[nodiscard]] SensitivityStore load_sensitivities(const std::filesystem::path& path);

/// Throws UserError naming `source`, the first field that differs and what to do (`hint`) when the
/// two were measured on different models, data or settings.
void check_same_measurement(const SensitivityHeader& found, const SensitivityHeader& expected,
                            const std::string& source, std::string_view hint = {});

/// All points of several files of one measurement; warns of points that contradict each other.
/// Throws UserError for files that do not belong together.
[[nodiscard]] SensitivityStore merge_sensitivities(std::span<const std::filesystem::path> files);

/// The points of a file that can prune a model. Throws UserError when the file is damaged, holds no
/// points, or belongs to another model than `model_id`.
[[nodiscard]] SensitivityStore load_sensitivities_of(const std::filesystem::path& path,
                                                     std::string_view model_id);
/// Loss by removed share for every group, for prune::BudgetOptions::curves. A stopped point counts
/// with the loss of the images seen.
[[nodiscard]] std::map<std::string, prune::LossCurve, std::less<>> to_curves(
    const SensitivityStore& store);

/// A sensitivity file that is being written.
class SensitivityWriter {
 public:
  /// Starts a file with this header; with `resume`, goes on with an existing one of the same
  /// measurement. Throws UserError when the file exists and `resume` is off, and what
  /// load_sensitivities and check_same_measurement throw.
  SensitivityWriter(const std::filesystem::path& path, const SensitivityHeader& header,
                    bool resume);

  /// What the file holds so far.
  [[nodiscard]] const SensitivityStore& store() const { return store_; }
  /// Adds a point and waits until it is on the disk.
  void add(const SensitivityPoint& point);
  /// Writes the file once more with the points of these groups in this order, by ratio; points of
  /// other groups come first. What the file says does not depend on who measured first.
  void finish(const std::vector<std::string>& groups);

 private:
  std::filesystem::path path_;
  SensitivityStore store_;
  base::AppendFile file_;
};

}  // namespace espalier::recipe
