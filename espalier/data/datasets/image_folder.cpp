#include "espalier/data/datasets/image_folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/data/excerpt.h"
#include "espalier/data/image_header.h"

namespace espalier::data {
namespace fs = std::filesystem;
namespace {

struct LabelledFile {
  std::string path;
  std::int64_t label = -1;
};

class ImageFolder : public Dataset {
 public:
  ImageFolder(std::vector<LabelledFile> files, std::vector<std::string> classes)
      : files_(std::move(files)), classes_(std::move(classes)) {}

  [[nodiscard]] std::size_t size() const override { return files_.size(); }
  [[nodiscard]] Sample read(std::size_t index) const override {
    return {.label = files_[index].label,
            .encoded = base::read_file(files_[index].path, kMaximumFileBytes)};
  }
  [[nodiscard]] std::string describe(std::size_t index) const override {
    return excerpt(files_[index].path, 300);
  }
  [[nodiscard]] std::string path(std::size_t index) const override { return files_[index].path; }
  [[nodiscard]] std::int64_t num_classes() const override {
    return static_cast<std::int64_t>(classes_.size());
  }
  [[nodiscard]] std::vector<std::string> class_names() const override { return classes_; }
  [[nodiscard]] bool encoded() const override { return true; }

 private:
  std::vector<LabelledFile> files_;
  std::vector<std::string> classes_;
};

bool is_image_name(const fs::path& path) {
  constexpr std::array<std::string_view, 10> kExtensions{".jpg", ".jpeg", ".png", ".bmp", ".webp",
                                                         ".tif", ".tiff", ".ppm", ".pgm", ".pbm"};
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char letter) { return std::tolower(letter); });
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

[[noreturn]] void fail_listing(const fs::path& folder, const std::string& got) {
  throw base::UserError(
      {.what = fmt::format("cannot list the image folder '{}'", folder.string()), .got = got});
}

/// Images of a folder, and of those below it, by sorted path. Links to folders are followed, to a
/// depth that ends circles.
std::vector<std::string> list_images(const fs::path& folder, bool recursive) {
  constexpr int kDeepest = 16;
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator place(folder, fs::directory_options::follow_directory_symlink,
                                         error);
  for (; !error && place != fs::recursive_directory_iterator(); place.increment(error)) {
    std::error_code ignored;
    if (place->is_directory(ignored)) {
      if (!recursive) place.disable_recursion_pending();
      if (place.depth() >= kDeepest) fail_listing(folder, "more than 16 levels of folders");
    } else if (place->is_regular_file(ignored) && is_image_name(place->path())) {
      paths.push_back(place->path().string());
    }
  }
  if (error) fail_listing(folder, error.message());
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> list_folders(const fs::path& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator place(root, error); !error && place != fs::directory_iterator();
       place.increment(error)) {
    std::error_code ignored;
    const std::string name = place->path().filename().string();
    if (place->is_directory(ignored) && !name.starts_with('.')) names.push_back(name);
  }
  if (error) fail_listing(root, error.message());
  std::ranges::sort(names);
  return names;
}

}  // namespace

DatasetPtr open_image_folder(const Opening& opening) {
  const fs::path root = opening.resolve(opening.parameters.required_text("root"));
  opening.parameters.finish();
  std::vector<std::string> classes = list_folders(root);
  const std::vector<std::string> flat = list_images(root, false);
  std::vector<LabelledFile> files;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const std::vector<std::string> paths = list_images(root / classes[label], true);
    if (paths.empty()) base::log_warning("the class folder '{}' holds no image", classes[label]);
    for (const std::string& path : paths) {
      files.push_back({.path = path, .label = static_cast<std::int64_t>(label)});
    }
  }
  if (!files.empty() && !flat.empty()) {
    throw base::UserError({.what = fmt::format("the image folder '{}' is ambiguous", root.string()),
                           .got = fmt::format("images beside class folders, such as {}",
                                              excerpt(fs::path(flat.front()).filename().string())),
                           .expected = "either images or one folder a class"});
  }
  if (files.empty()) {
    classes.clear();
    for (const std::string& path : flat) files.push_back({.path = path});
  }
  if (files.empty()) {
    throw base::UserError(
        {.what = fmt::format("the image folder '{}' holds no image", root.string()),
         .expected = "files such as *.jpg or *.png, or one folder a class"});
  }
  return std::make_shared<ImageFolder>(std::move(files), std::move(classes));
}

}  // namespace espalier::data
