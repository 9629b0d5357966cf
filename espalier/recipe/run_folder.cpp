#include "espalier/recipe/run_folder.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"

namespace espalier::recipe {

RunFolder::RunFolder(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error || !std::filesystem::is_directory(path_)) {
    throw base::UserError(
        {.what = fmt::format("cannot create the output folder '{}'", path_.string()),
         .got = error.message(),
         .hint = "choose another one with -o"});
  }
  base::set_log_file((path_ / "log.txt").string());
}

RunFolder::~RunFolder() {
  base::set_log_file("");
}

void RunFolder::write(std::string_view name, std::string_view content) const {
  base::write_file_atomic(path_ / name, content);
}

bool RunFolder::has(std::string_view name) const {
  return std::filesystem::exists(path_ / name);
}

std::string RunFolder::read(std::string_view name) const {
  return base::read_file(path_ / name);
}

}  // namespace espalier::recipe
