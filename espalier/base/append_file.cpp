#include "espalier/base/append_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::base {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int error_number) {
  throw UserError({.what = fmt::format("cannot append to '{}'", path.string()),
                   .got = std::strerror(error_number)});
}

}  // namespace

AppendFile::AppendFile(const std::filesystem::path& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) fail(path, errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error_number = errno;
  ::close(descriptor_);
  if (error_number != EWOULDBLOCK) fail(path, error_number);
  throw UserError({.what = fmt::format("cannot append to '{}'", path.string()),
                   .got = "another process that writes it",
                   .hint = "wait for it, or choose another file with -o"});
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::truncate(std::uintmax_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) fail(path_, errno);
}

void AppendFile::append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fdatasync(descriptor_) != 0) fail(path_, errno);
}

}  // namespace espalier::base
