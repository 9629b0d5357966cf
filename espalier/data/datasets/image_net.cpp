#include "espalier/data/datasets/image_net.h"

#include <filesystem>
#include <limits>
#include <sys/stat.h>
#include <utility>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/data/excerpt.h"
#include "espalier/data/image_header.h"
#include "espalier/data/image_list.h"

namespace espalier::data {
namespace {

class ImageNetDataset : public Dataset {
 public:
  ImageNetDataset(std::filesystem::path root, ImageList list, std::int64_t num_classes)
      : root_(std::move(root)), list_(std::move(list)), num_classes_(num_classes) {}

  [[nodiscard]] std::size_t size() const override { return list_.size(); }

  [[nodiscard]] Sample read(std::size_t index) const override {
    try {
      return {.label = list_.label(index),
              .encoded = base::read_file(file(index), kMaximumFileBytes)};
    } catch (const base::UserError& problem) {
      throw base::UserError(fmt::format("{}: {}", list_.place(index), problem.what()));
    }
  }

  [[nodiscard]] std::string describe(std::size_t index) const override {
    return fmt::format("{} {}", list_.place(index), excerpt(list_.path(index)));
  }

  [[nodiscard]] std::string path(std::size_t index) const override { return file(index).string(); }
  [[nodiscard]] std::int64_t num_classes() const override { return num_classes_; }
  [[nodiscard]] bool encoded() const override { return true; }
  [[nodiscard]] std::size_t num_skipped() const override { return num_skipped_; }

  /// Finds missing files now rather than in the middle of a run.
  void check_files(BadSamples policy) {
    std::vector<std::size_t> missing;
    std::vector<std::string> problems = list_.problems();
    std::string path = root_ / "";
    const std::size_t root_length = path.size();
    for (std::size_t index = 0; index < list_.size(); ++index) {
      path.replace(root_length, std::string::npos, list_.path(index));
      struct stat facts {};
      if (::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode)) continue;
      const base::UserError problem({.what = "the image file is missing",
                                     .where = list_.place(index),
                                     .got = excerpt(list_.path(index)),
                                     .expected = fmt::format("a file in '{}'", root_.string()),
                                     .hint = "check 'image_root'"});
      if (policy == BadSamples::Error) throw problem;
      missing.push_back(index);
      problems.emplace_back(problem.what());
    }
    num_skipped_ = problems.size();
    log_skipped("image list", problems);
    if (missing.size() == list_.size()) {
      throw base::UserError({.what = "no image of the list exists",
                             .where = list_.place(0),
                             .got = excerpt(list_.path(0)),
                             .expected = fmt::format("a file in '{}'", root_.string()),
                             .hint = "check 'image_root'"});
    }
    list_.remove(missing);
  }

 private:
  [[nodiscard]] std::filesystem::path file(std::size_t index) const {
    return root_ / list_.path(index);
  }

  std::filesystem::path root_;
  ImageList list_;
  std::int64_t num_classes_;
  std::size_t num_skipped_ = 0;
};

}  // namespace

DatasetPtr open_image_net(const Opening& opening) {
  ParameterReader& parameters = opening.parameters;
  const std::filesystem::path root = opening.resolve(parameters.required_text("image_root"));
  const std::filesystem::path list_path =
      opening.resolve(parameters.required_text("cls_label_path"));
  const auto num_classes = parameters.integer(
      "num_classes", 0, {.lowest = 0, .highest = std::numeric_limits<std::int32_t>::max()});
  const std::string delimiter = parameters.text("delimiter", " ");
  parameters.finish();
  if (!std::filesystem::is_directory(root)) {
    throw base::UserError({.what = "the image folder does not exist",
                           .where = "image_root",
                           .got = excerpt(root.string()),
                           .expected = "a folder"});
  }
  ImageList list = ImageList::parse(
      base::read_file(list_path), list_path.string(),
      {.delimiter = delimiter, .num_classes = num_classes, .policy = opening.policy});
  const std::int64_t classes = num_classes > 0 ? num_classes : list.largest_label() + 1;
  auto dataset = std::make_shared<ImageNetDataset>(root, std::move(list), classes);
  dataset->check_files(opening.policy);
  return dataset;
}

}  // namespace espalier::data
