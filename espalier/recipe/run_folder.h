#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace espalier::recipe {

/// The folder of a run: model.onnx, report.html, report.json, plan.yaml, config.yaml, log.txt,
/// events, checkpoints. Files appear whole or not at all.
class RunFolder {
 public:
  /// Creates it, starts log.txt and removes unfinished files that a killed run left. One run at a
  /// time has a folder: log.txt is locked. Throws UserError when the folder cannot be written or
  /// another run has it.
  explicit RunFolder(std::filesystem::path path);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  /// Ends the log file and lets go of the folder. While an exception passes, a folder that was new
  /// and holds neither a model nor a checkpoint keeps log.txt alone.
  ~RunFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(std::string_view name, std::string_view content) const;
  /// Writes files by name so that all of them appear, or none (a full disk).
  void write_all(const std::map<std::string, std::string>& files) const;
  /// Removes models and plans that strategies of an earlier recipe wrote after epochs
  /// ("epoch-2.onnx", "prune_plan-epoch-1.yaml") and that are not among `kept`.
  void forget_epoch_files(const std::set<std::string>& kept) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::string read(std::string_view name) const;

 private:
  /// An open file whose lock ends with it.
  class Lock;

  [[nodiscard]] bool holds_work() const;
  void remove_beginnings() const;

  std::filesystem::path path_;
  std::unique_ptr<Lock> lock_;
  bool fresh_ = false;  ///< it was empty, or not there
  int exceptions_;      ///< under way when the run began
};

/// @name What a path means that may be a run folder; any other path comes back as it is
/// @{

/// model.onnx, which ships. Throws UserError when the run has none yet.
[[nodiscard]] std::filesystem::path shipped_model(const std::filesystem::path& path);
/// What training gave: the result of the last finished training stage, else the best model of the
/// stage under way, else its newest checkpoint; without training the float model: float.onnx, or
/// model.onnx where nothing was quantized. Throws UserError without any.
[[nodiscard]] std::filesystem::path trained_model(const std::filesystem::path& path);

/// @}

}  // namespace espalier::recipe
