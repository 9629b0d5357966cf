#include "espalier/data/datasets/idx.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/data/idx_file.h"

namespace espalier::data {
namespace fs = std::filesystem;
namespace {

class IdxDataset : public Dataset {
 public:
  struct Content {
    IdxArray images;
    IdxArray labels;  ///< empty: none
    std::int64_t num_classes = 0;
    std::vector<std::string> class_names = {};
    std::string source;
  };

  explicit IdxDataset(Content content) : content_(std::move(content)) {}

  [[nodiscard]] std::size_t size() const override {
    return static_cast<std::size_t>(content_.images.sizes[0]);
  }

  [[nodiscard]] Sample read(std::size_t index) const override {
    const std::vector<std::int64_t>& sizes = content_.images.sizes;
    PixelView view{
        .height = sizes[1], .width = sizes[2], .channels = sizes.size() == 4 ? sizes[3] : 1};
    const auto length = static_cast<std::size_t>(view.height * view.width * view.channels);
    view.bytes = std::span(content_.images.bytes).subspan(index * length, length);
    const std::vector<std::uint8_t>& labels = content_.labels.bytes;
    return {.label = labels.empty() ? -1 : labels[index], .pixels = view};
  }

  [[nodiscard]] std::string describe(std::size_t index) const override {
    return fmt::format("image {} of '{}'", index, content_.source);
  }
  [[nodiscard]] std::int64_t num_classes() const override { return content_.num_classes; }
  [[nodiscard]] std::vector<std::string> class_names() const override {
    return content_.class_names;
  }
  [[nodiscard]] bool encoded() const override { return false; }

 private:
  Content content_;
};

[[noreturn]] void fail(const fs::path& path, const std::string& got, const std::string& expected) {
  throw base::UserError({.what = fmt::format("the IDX file '{}' does not fit", path.string()),
                         .got = got,
                         .expected = expected});
}

void check_labels(const fs::path& path, const IdxDataset::Content& content) {
  const std::vector<std::int64_t>& sizes = content.labels.sizes;
  const std::int64_t num_images = content.images.sizes[0];
  if (sizes.size() != 1) fail(path, fmt::format("{} dimensions", sizes.size()), "1 for labels");
  if (sizes[0] != num_images) {
    fail(path, fmt::format("{} labels", sizes[0]), fmt::format("{}, one an image", num_images));
  }
  const auto& labels = content.labels.bytes;
  const auto bad = std::ranges::find_if(
      labels, [&](std::uint8_t label) { return label >= content.num_classes; });
  if (bad != labels.end()) {
    fail(path, fmt::format("label {} of image {}", *bad, bad - labels.begin()),
         fmt::format("a class in 0..{}", content.num_classes - 1));
  }
}

DatasetPtr make_dataset(const fs::path& images, const fs::path& labels, std::int64_t num_classes,
                        std::vector<std::string> class_names) {
  IdxDataset::Content content{.images = read_idx_file(images),
                              .labels = {},
                              .num_classes = num_classes,
                              .class_names = std::move(class_names),
                              .source = images.string()};
  const std::size_t dimensions = content.images.sizes.size();
  const bool is_pictures =
      dimensions == 3 ||
      (dimensions == 4 && (content.images.sizes[3] == 1 || content.images.sizes[3] == 3));
  if (!is_pictures) {
    fail(images, fmt::format("{} dimensions", dimensions),
         "3 (images, height, width) or 4 with 1 or 3 channels");
  }
  if (!labels.empty()) {
    content.labels = read_idx_file(labels);
    if (num_classes == 0) content.num_classes = 1 + *std::ranges::max_element(content.labels.bytes);
    check_labels(labels, content);
  }
  return std::make_shared<IdxDataset>(std::move(content));
}

}  // namespace

DatasetPtr open_idx(const Opening& opening) {
  ParameterReader& parameters = opening.parameters;
  const fs::path images = opening.resolve(parameters.required_text("images"));
  const std::string labels = parameters.text("labels", "");
  const auto num_classes = parameters.integer(
      "num_classes", 0, {.lowest = 0, .highest = std::numeric_limits<std::int32_t>::max()});
  parameters.finish();
  return make_dataset(images, labels.empty() ? fs::path() : opening.resolve(labels), num_classes,
                      {});
}

DatasetPtr open_fashion_mnist(const Opening& opening) {
  ParameterReader& parameters = opening.parameters;
  const std::array<std::string, 2> splits{"train", "test"};
  const fs::path root =
      opening.resolve(parameters.text("root", "/usr/share/datasets/fashion-mnist"));
  const std::string prefix =
      parameters.choice("split", "train", splits) == "train" ? "train" : "t10k";
  parameters.finish();
  const auto find = [&](std::string_view suffix) {
    const fs::path compressed = root / fmt::format("{}-{}.gz", prefix, suffix);
    const fs::path plain = root / fmt::format("{}-{}", prefix, suffix);
    if (fs::exists(compressed)) return compressed;
    if (fs::exists(plain)) return plain;
    throw base::UserError(
        {.what = "Fashion-MNIST is not there",
         .got = fmt::format("no file '{}'", compressed.string()),
         .hint = "install the Debian package dataset-fashion-mnist, or set 'root'"});
  };
  const fs::path images = find("images-idx3-ubyte");
  const fs::path labels = find("labels-idx1-ubyte");
  return make_dataset(images, labels, 10,
                      {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                       "Sneaker", "Bag", "Ankle boot"});
}

}  // namespace espalier::data
