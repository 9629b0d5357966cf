#include "espalier/base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::base {
namespace fs = std::filesystem;
namespace {

/// Closes a descriptor at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

[[noreturn]] void fail(std::string_view verb, const fs::path& path, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  throw UserError({.what = fmt::format("cannot {} '{}'", verb, path.string()),
                   .got = std::strerror(error_number),
                   .hint = full ? "free some space or choose another folder with -o" : ""});
}

void write_all(int descriptor, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(descriptor, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

void flush_folder(const fs::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (descriptor.get() >= 0) ::fsync(descriptor.get());
}

void make_folder(const fs::path& folder) {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("create the folder", folder, error.value());
}

/// What a write to `path` replaces: the file behind symbolic links. Devices, pipes and sockets are
/// refused, since a rename would put a file in their place.
fs::path resolve_target(const fs::path& path) {
  std::error_code ignored;
  std::error_code error;
  const bool link = fs::is_symlink(path, ignored);
  const fs::path target = link ? fs::weakly_canonical(path, error) : path;
  if (error) fail("write", path, error.value());
  const fs::file_status status = fs::status(target, ignored);
  if (!fs::exists(status) || fs::is_regular_file(status)) return target;
  if (fs::is_directory(status)) fail("write", path, EISDIR);
  throw UserError({.what = fmt::format("cannot write '{}'", path.string()),
                   .got = "a device, pipe or socket",
                   .expected = "the name of a file"});
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t limit_bytes) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) fail("read", path, errno);
  struct stat facts {};
  if (::fstat(descriptor.get(), &facts) != 0) fail("read", path, errno);
  if (S_ISDIR(facts.st_mode)) fail("read", path, EISDIR);
  if (static_cast<std::uint64_t>(facts.st_size) > limit_bytes) {
    throw UserError({.what = fmt::format("cannot read '{}'", path.string()),
                     .got = fmt::format("{} bytes", facts.st_size),
                     .expected = fmt::format("at most {} bytes", limit_bytes)});
  }
  std::string content;
  content.reserve(static_cast<std::size_t>(facts.st_size));
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = ::read(descriptor.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path, errno);
    if (count == 0) break;
    content.append(buffer, static_cast<std::size_t>(count));
    if (content.size() > limit_bytes) fail("read", path, EFBIG);
  }
  return content;
}

void write_file_atomic(const fs::path& name, std::string_view content) {
  const fs::path path = resolve_target(name);
  make_folder(path.parent_path());
  const fs::path temporary = path.string() + fmt::format(".partial-{}", ::getpid());
  {
    const Descriptor descriptor(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (descriptor.get() < 0) fail("write", path, errno);
    try {
      write_all(descriptor.get(), content, path);
      if (::fsync(descriptor.get()) != 0) fail("write", path, errno);
    } catch (...) {
      ::unlink(temporary.c_str());
      throw;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    fail("write", path, error_number);
  }
  flush_folder(path.parent_path().empty() ? fs::path(".") : path.parent_path());
}

fs::path join_inside(const fs::path& root, const std::string& relative, std::string_view what) {
  const fs::path part(relative);
  const fs::path base = fs::weakly_canonical(root.empty() ? fs::path(".") : root);
  fs::path joined = fs::weakly_canonical(base / part);
  const auto [end, ignored] = std::mismatch(base.begin(), base.end(), joined.begin(), joined.end());
  if (part.is_absolute() || relative.empty() || end != base.end()) {
    throw UserError({.what = fmt::format("refused the path of {}", what),
                     .got = fmt::format("'{}'", relative),
                     .expected = fmt::format("a relative path inside '{}'", base.string())});
  }
  return joined;
}

AtomicFolder::AtomicFolder(fs::path target) : target_(std::move(target)) {
  if (target_.filename().empty()) target_ = target_.parent_path();
  std::error_code ignored;
  // Inside of a folder that exists: what lies beside a mount point is on another file system.
  const std::string suffix = fmt::format(".partial-{}", ::getpid());
  const bool inside = fs::is_directory(target_, ignored);
  temporary_ = inside ? target_ / suffix : fs::path(target_.string() + suffix);
  fs::remove_all(temporary_, ignored);
  make_folder(temporary_);
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  make_folder(target_);
  for (const auto& entry : fs::directory_iterator(temporary_)) {
    const fs::path destination = target_ / entry.path().filename();
    std::error_code error;
    if (entry.is_directory()) fs::remove_all(destination, error);
    fs::rename(entry.path(), destination, error);
    if (error) fail("write", destination, error.value());
  }
  flush_folder(target_);
}

}  // namespace espalier::base
