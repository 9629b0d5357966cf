#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::kit {

/// A fresh empty folder, removed with everything in it at the end of the scope. Each has a name of
/// its own, so test programs may run at the same time.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// The path of `name` inside the folder, as text.
  [[nodiscard]] std::string file(std::string_view name) const;
  /// Writes a file (folders on the way are made) and returns its path.
  std::string write(std::string_view name, std::string_view content) const;
  /// The content of a file; a test failure and "" when it cannot be read.
  [[nodiscard]] std::string read(std::string_view name) const;
  /// Relative paths of all files, sorted: for "no partial output" tests.
  [[nodiscard]] std::vector<std::string> files() const;

 private:
  std::filesystem::path path_;
};

}  // namespace espalier::kit
