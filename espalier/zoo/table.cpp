#include "espalier/zoo/table.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/zoo/families.h"

namespace espalier::zoo {
namespace {

/// A family and the function that builds it.
struct Row {
  Family family;
  ir::Graph (*build)(const ZooOptions&);
};

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      {{"FashionCNN", "small CNN for 28 x 28 images", 10, 28, 1, false, false}, fashion_cnn},
      {{"ResNet20", "residual network in the CIFAR form", 10, 32, 3, false, false}, resnet20},
      {{"MobileNetV1", "depthwise separable, width multiplier", 1000, 224, 3, true, true},
       mobilenet_v1},
      {{"MobileNetV2", "inverted residuals, width multiplier", 1000, 224, 3, true, true},
       mobilenet_v2},
      {{"ResNet18", "residual network, basic blocks", 1000, 224, 3, false, true}, resnet18},
      {{"ResNet34", "residual network, basic blocks", 1000, 224, 3, false, true}, resnet34},
      {{"ResNet50", "residual network, bottlenecks v1.5", 1000, 224, 3, false, true}, resnet50},
  };
  return rows;
}

/// Throws UserError when a choice is outside [low, high].
void check_range(const Family& family, std::string_view key, double value, double low,
                 double high) {
  if (value >= low && value <= high) return;
  throw base::UserError({.what = fmt::format("cannot build the model '{}'", family.name),
                         .where = std::string(key),
                         .got = fmt::format("{}", value),
                         .expected = fmt::format("{} to {}", low, high)});
}

}  // namespace

const std::vector<Family>& families() {
  static const std::vector<Family> list = [] {
    std::vector<Family> all;
    for (const Row& row : table()) all.push_back(row.family);
    return all;
  }();
  return list;
}

ir::Graph build(std::string_view name, const ZooOptions& options) {
  const auto row = std::ranges::find(table(), name, [](const Row& one) { return one.family.name; });
  if (row == table().end()) {
    std::vector<std::string> names;
    for (const Family& family : families()) names.push_back(family.name);
    throw base::UserError({.what = "unknown model of the zoo",
                           .got = fmt::format("'{}'", name),
                           .hint = base::suggest_name(name, names)});
  }
  const Family& family = row->family;
  ZooOptions filled = options;
  if (filled.classes == 0) filled.classes = family.classes;
  if (filled.image_size == 0) filled.image_size = family.image_size;
  if (filled.channels == 0) filled.channels = family.channels;
  const auto as_double = [](std::int64_t number) { return static_cast<double>(number); };
  check_range(family, "classes", as_double(filled.classes), 1, 1e6);
  check_range(family, "image_size", as_double(filled.image_size), 1, 16384);
  check_range(family, "channels", as_double(filled.channels), 1, 4096);
  if (!family.scalable && filled.scale != 1.0) {
    throw base::UserError({.what = fmt::format("cannot build the model '{}'", family.name),
                           .where = "scale",
                           .got = fmt::format("{}", filled.scale),
                           .expected = "1",
                           .hint = "this family has no width multiplier"});
  }
  check_range(family, "scale", filled.scale, 0.01, 16);
  if (!family.stems && filled.stem != Stem::ImageNet) {
    throw base::UserError({.what = fmt::format("cannot build the model '{}'", family.name),
                           .where = "stem",
                           .got = "'cifar'",
                           .expected = "none",
                           .hint = "this family has one form only"});
  }
  return row->build(filled);
}

}  // namespace espalier::zoo
