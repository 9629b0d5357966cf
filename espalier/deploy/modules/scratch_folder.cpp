#include "espalier/deploy/modules/scratch_folder.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::deploy {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "espalier-engine-";

/// The process of a folder "espalier-engine-<process>-<six letters>"; 0 for other names.
pid_t owner_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return 0;
  pid_t process = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, process);
  return error == std::errc() && rest != end && *rest == '-' ? process : 0;
}

/// Removes what processes left that were killed.
void remove_leftovers(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const pid_t owner = owner_of(entry.path().filename().string());
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) leftovers.push_back(entry.path());
  }
  for (const fs::path& path : leftovers) fs::remove_all(path, error);
}

}  // namespace

ScratchFolder::ScratchFolder() {
  const fs::path folder = fs::temp_directory_path();
  remove_leftovers(folder);
  std::string name = (folder / fmt::format("{}{}-XXXXXX", kPrefix, ::getpid())).string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw base::UserError({.what = fmt::format("cannot create the folder '{}'", name),
                           .got = std::strerror(errno),
                           .hint = "set TMPDIR to a folder with free space"});
  }
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace espalier::deploy
