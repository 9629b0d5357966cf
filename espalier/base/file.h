#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace espalier::base {

/// The whole file. Throws UserError naming the path when it is missing, a folder, unreadable, or
/// larger than `limit_bytes`.
[[nodiscard]] std::string read_file(const std::filesystem::path& path,
                                    std::uint64_t limit_bytes = std::uint64_t{8} << 30);

/// Writes the whole file or nothing: a temporary file beside it, flushed to the disk, renamed.
/// Creates missing parent folders; a symbolic link stays, the file behind it is replaced. Throws
/// UserError (no space, no permission, not a regular file) and removes the temporary file.
void write_file_atomic(const std::filesystem::path& path, std::string_view content);

/// Joins `relative` to `root` and refuses a result outside of `root` (absolute paths, "..", links).
/// `what` names the thing in the message. Throws UserError.
[[nodiscard]] std::filesystem::path join_inside(const std::filesystem::path& root,
                                                const std::string& relative, std::string_view what);

/// A folder that appears at `target` whole or not at all: fill `path()`, then `commit()`.
/// Without commit the destructor removes what was written.
class AtomicFolder {
 public:
  explicit AtomicFolder(std::filesystem::path target);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return temporary_; }
  /// Moves every file into the target folder (made when missing); files of other names there stay.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
};

}  // namespace espalier::base
