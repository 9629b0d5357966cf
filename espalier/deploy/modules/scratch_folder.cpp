#include "espalier/deploy/modules/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::deploy {
namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "espalier-XXXXXX").string();
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
