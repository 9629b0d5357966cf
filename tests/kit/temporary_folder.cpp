#include "tests/kit/temporary_folder.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>

#include <gtest/gtest.h>

namespace espalier::kit {
namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "espalier-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), name);
  path_ = fs::canonical(name);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(path_, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
      fs::permissions(entry.path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::file(std::string_view name) const {
  return (path_ / name).string();
}

std::string TemporaryFolder::write(std::string_view name, std::string_view content) const {
  const fs::path target = path_ / name;
  fs::create_directories(target.parent_path());
  std::ofstream stream(target, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  EXPECT_TRUE(stream.good()) << "cannot write " << target;
  return target.string();
}

std::string TemporaryFolder::read(std::string_view name) const {
  std::ifstream stream(path_ / name, std::ios::binary);
  EXPECT_TRUE(stream.good()) << "cannot read " << path_ / name;
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> TemporaryFolder::files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    if (!entry.is_directory()) names.push_back(entry.path().lexically_relative(path_).string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace espalier::kit
