#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace espalier::base {

/// A file that grows by whole lines and survives a killed process: each append is one write that
/// reaches the disk before the call returns. Only one process at a time may hold it open.
class AppendFile {
 public:
  /// Opens an existing file. Throws UserError naming the path when it cannot be opened, or when
  /// another process appends to it.
  explicit AppendFile(const std::filesystem::path& path);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// Cuts off what comes after the first `size` bytes: the torn line that a kill left behind.
  void truncate(std::uintmax_t size);
  /// Adds `text` at the end. Throws UserError (no space, no permission).
  void append(std::string_view text);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace espalier::base
