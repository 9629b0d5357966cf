#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace espalier::recipe {

/// The folder of a run: model.onnx, report.html, report.json, plan.yaml, config.yaml, log.txt,
/// events, checkpoints. Files appear whole or not at all.
class RunFolder {
 public:
  /// Creates it and starts log.txt. Throws UserError when it cannot be written.
  explicit RunFolder(std::filesystem::path path);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  /// Ends the log file.
  ~RunFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(std::string_view name, std::string_view content) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::string read(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

/// @name What a path means that may be a run folder; any other path comes back as it is
/// @{

/// model.onnx, which ships. Throws UserError when the run has none yet.
[[nodiscard]] std::filesystem::path shipped_model(const std::filesystem::path& path);
/// What training gave: the result of the last finished training stage, else the best model of the
/// stage under way, else its newest checkpoint, else model.onnx. Throws UserError without any.
[[nodiscard]] std::filesystem::path trained_model(const std::filesystem::path& path);

/// @}

}  // namespace espalier::recipe
