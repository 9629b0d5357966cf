#include "espalier/recipe/folder_data.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/train/model_file.h"

namespace espalier::recipe {
namespace {

const std::vector<double> kImageNetMean{0.485, 0.456, 0.406};
const std::vector<double> kImageNetDeviation{0.229, 0.224, 0.225};
// Of grey images: the means of the three, to the digits that those have.
const std::vector<double> kGreyMean{0.449};
const std::vector<double> kGreyDeviation{0.226};

constexpr std::int64_t kDefaultSide = 224;
/// Below it, a border cut off would be a part of the object.
constexpr std::int64_t kSmallestWithBorder = 64;

/// Every choice made.
FolderOptions settled(FolderOptions options) {
  if (options.height == 0) options.height = options.width > 0 ? options.width : kDefaultSide;
  if (options.width == 0) options.width = options.height;
  if (options.channels == 0) options.channels = 3;
  const bool grey = options.channels == 1;
  if (options.mean.empty()) options.mean = grey ? kGreyMean : kImageNetMean;
  if (options.std_deviation.empty()) {
    options.std_deviation = grey ? kGreyDeviation : kImageNetDeviation;
  }
  return options;
}

std::int64_t shorter_side(std::int64_t size) {
  if (size < kSmallestWithBorder) return size;
  return std::lround(static_cast<double>(size) * 256.0 / 224.0);
}

std::string numbers_of(const std::vector<double>& given, const std::vector<double>& used) {
  return fmt::format("{}{}", fmt::join(used, " "), given.empty() ? " (the default)" : "");
}

}  // namespace

FolderOptions fit_to_model(const FolderOptions& options, const std::filesystem::path& model) {
  FolderOptions fitted = options;
  try {
    const ir::Graph graph = train::load_model(trained_model(model));
    if (graph.inputs().size() != 1) return fitted;
    const auto& shape = graph.inputs().front()->type().shape;
    if (!shape || shape->size() != 4) return fitted;
    const auto known = [&](std::size_t axis) { return (*shape)[axis].size.value_or(0); };
    const auto is_colour = [](std::int64_t size) { return size == 1 || size == 3; };
    // With the channels last, too, images have the model's size: what reads them says what is
    // wrong.
    const bool last = is_colour(known(3)) && !is_colour(known(1));
    const std::size_t channels = last ? 3 : 1;
    const std::size_t height = last ? 1 : 2;
    if (fitted.channels == 0 && is_colour(known(channels))) fitted.channels = known(channels);
    if (fitted.height == 0) fitted.height = known(height);
    if (fitted.width == 0) fitted.width = known(height + 1);
  } catch (const base::UnsupportedError&) {
    // Only the engine can read the file: it says itself what does not fit.
  }
  return fitted;
}

std::vector<data::TransformConfig> folder_transforms(const FolderOptions& options) {
  const FolderOptions settings = settled(options);
  const std::vector<double> size{static_cast<double>(settings.width),
                                 static_cast<double>(settings.height)};
  std::vector<data::TransformConfig> transforms;
  transforms.push_back(
      {.name = "DecodeImage", .parameters = {{"to_gray", settings.channels == 1}}});
  if (settings.height == settings.width) {
    transforms.push_back({.name = "ResizeImage",
                          .parameters = {{"resize_short", shorter_side(settings.height)},
                                         {"keep_size", settings.height}}});
    transforms.push_back({.name = "CropImage", .parameters = {{"size", settings.height}}});
  } else {
    transforms.push_back({.name = "ResizeImage", .parameters = {{"size", size}}});
  }
  transforms.push_back({.name = "NormalizeImage",
                        .parameters = {{"mean", settings.mean}, {"std", settings.std_deviation}}});
  transforms.push_back({.name = "ToCHWImage"});
  return transforms;
}

std::string describe_transforms(const FolderOptions& options) {
  const FolderOptions settings = settled(options);
  const std::string size = fmt::format("{} x {}", settings.width, settings.height);
  const std::string resize =
      settings.height == settings.width
          ? fmt::format("of {} as they are, others: shorter side to {}, centre cut out", size,
                        shorter_side(settings.height))
          : fmt::format("stretched to {}", size);
  return fmt::format("{} images {}; mean {}, deviation {}", settings.channels == 1 ? "grey" : "RGB",
                     resize, numbers_of(options.mean, settings.mean),
                     numbers_of(options.std_deviation, settings.std_deviation));
}

DataSplits open_data(const std::filesystem::path& data, const FolderOptions& options) {
  if (!std::filesystem::is_directory(data)) return load_data(data);
  base::log_info("'{}': {}", data.string(), describe_transforms(options));
  DataSplits splits;
  splits.source = data.string();
  splits.only = data::DataConfig{.dataset = {.name = "ImageFolder",
                                             .parameters = {{"root", data.string()}},
                                             .transforms = folder_transforms(options),
                                             .where = data.string()}};
  return splits;
}

}  // namespace espalier::recipe
