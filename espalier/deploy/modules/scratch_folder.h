#pragma once

#include <filesystem>

namespace espalier::deploy {

/// A private folder for files that an engine insists on writing; removed by the destructor, or,
/// when the process was killed, by the next process that makes one.
class ScratchFolder {
 public:
  /// Throws UserError when the temporary folder of the system cannot be written.
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace espalier::deploy
