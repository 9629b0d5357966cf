#include "espalier/data/transforms/normalize_image.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/data/planes.h"

namespace espalier::data {

Layout NormalizeImage::layout_after(Layout layout) const {
  base::check(layout != Layout::Encoded,
              "NormalizeImage needs decoded pixels: put DecodeImage first");
  if (options_.order && *options_.order != layout) {
    throw base::UserError({.what = "NormalizeImage's order does not fit",
                           .got = *options_.order == Layout::Hwc ? "'hwc' after ToCHWImage"
                                                                 : "'chw' before ToCHWImage",
                           .expected = "'' (follows the pixels)",
                           .hint = "or move ToCHWImage"});
  }
  return layout;
}

int NormalizeImage::channels_after(const cv::Mat& pixels) const {
  const auto channels = static_cast<std::size_t>(pixels.channels());
  for (const auto& [name, values] :
       {std::pair("mean", &options_.mean), std::pair("std", &options_.deviation)}) {
    if (values->size() == 1 || values->size() == channels) continue;
    throw base::UserError(
        {.what = fmt::format("NormalizeImage's '{}' does not fit the image", name),
         .got = fmt::format("{} values for {} channel{}", values->size(), channels,
                            channels == 1 ? "" : "s"),
         .expected = channels == 1 ? "1" : fmt::format("1 or {}", channels)});
  }
  return pixels.channels() + (options_.add_zero_plane ? 1 : 0);
}

NormalizeImage::Channel NormalizeImage::channel(int index) const {
  const auto pick = [index](const std::vector<double>& values) {
    return static_cast<float>(values.size() == 1 ? values[0]
                                                 : values[static_cast<std::size_t>(index)]);
  };
  return {.scale = static_cast<float>(options_.scale),
          .mean = pick(options_.mean),
          .deviation = pick(options_.deviation)};
}

void NormalizeImage::apply(Image& image, base::Random& /*random*/) const {
  const int channels = channels_after(image.pixels);
  cv::Mat source;
  image.pixels.convertTo(source, CV_32F);
  cv::Mat result(source.size(), CV_32FC(channels), cv::Scalar::all(0));
  for (int index = 0; index < source.channels(); ++index) {
    const Channel normalize = channel(index);
    for (int y = 0; y < source.rows; ++y) {
      const float* from = source.ptr<float>(y) + index;
      float* to = result.ptr<float>(y) + index;
      for (int x = 0; x < source.cols; ++x) {
        to[x * channels] = normalize(from[x * source.channels()]);
      }
    }
  }
  image.pixels = result;
}

void NormalizeImage::write_planes(const cv::Mat& pixels, std::span<float> planes) const {
  const int channels = channels_after(pixels);
  const std::size_t plane_size = pixels.total();
  for (int index = 0; index < channels; ++index) {
    const std::span<float> plane =
        planes.subspan(plane_size * static_cast<std::size_t>(index), plane_size);
    if (index == pixels.channels()) {
      std::ranges::fill(plane, 0.0F);
      break;
    }
    const Channel normalize = channel(index);
    if (pixels.depth() == CV_8U) {
      // 256 results in a table are the same numbers as one calculation a pixel, and quicker.
      std::array<float, 256> table{};
      for (std::size_t value = 0; value < table.size(); ++value) {
        table[value] = normalize(static_cast<float>(value));
      }
      write_plane<std::uint8_t>(pixels, index, plane,
                                [&table](std::uint8_t value) { return table[value]; });
    } else {
      write_plane<float>(pixels, index, plane, normalize);
    }
  }
}

std::unique_ptr<const Transform> make_normalize_image(ParameterReader& parameters) {
  NormalizeImage::Options options;
  options.scale = parameters.number("scale", options.scale);
  options.mean = parameters.numbers("mean", options.mean);
  options.deviation = parameters.numbers("std", options.deviation);
  const std::array<std::string, 3> orders{"", "hwc", "chw"};
  const std::string order = parameters.choice("order", "", orders);
  const auto channels = parameters.integer("channel_num", 3, {.lowest = 1, .highest = 4});
  base::require_supported(!parameters.boolean("output_fp16", false),
                          "NormalizeImage's output_fp16 is not supported: tensors are float32");
  if (!order.empty()) options.order = order == "hwc" ? Layout::Hwc : Layout::Chw;
  if (channels == 2) parameters.fail("channel_num", "1, 3 or 4");
  options.add_zero_plane = channels == 4;
  if (options.scale == 0) parameters.fail("scale", "a number other than 0");
  const bool divisible = std::ranges::none_of(
      options.deviation, [](double value) { return static_cast<float>(value) == 0.0F; });
  if (!divisible) parameters.fail("std", "numbers other than 0");
  return std::make_unique<NormalizeImage>(std::move(options));
}

}  // namespace espalier::data
