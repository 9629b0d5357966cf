#include "espalier/data/transforms/backend.h"

#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

#include "espalier/base/check.h"
#include "espalier/base/error.h"

namespace espalier::data {

void require_opencv_backend(ParameterReader& parameters) {
  const std::array<std::string, 2> choices{"cv2", "pil"};
  base::require_supported(parameters.choice("backend", "cv2", choices) == "cv2",
                          "the image backend 'pil' is not supported (use 'cv2': the pixels differ "
                          "slightly, by the filters of the two libraries)");
}

Interpolation Interpolation::read(ParameterReader& parameters) {
  const std::array<std::pair<std::string, int>, 5> filters{{{"nearest", cv::INTER_NEAREST},
                                                            {"bilinear", cv::INTER_LINEAR},
                                                            {"area", cv::INTER_AREA},
                                                            {"bicubic", cv::INTER_CUBIC},
                                                            {"lanczos", cv::INTER_LANCZOS4}}};
  std::vector<std::string> choices;
  for (const auto& [name, flag] : filters) choices.push_back(name);
  choices.emplace_back("random");
  const std::string chosen = parameters.choice("interpolation", "bilinear", choices);
  Interpolation result;
  for (const auto& [name, flag] : filters) {
    if (name == chosen) result.flag_ = flag;
  }
  return result;
}

int Interpolation::flag(base::Random& random) const {
  if (flag_) return *flag_;
  const std::array<int, 4> drawn{cv::INTER_NEAREST, cv::INTER_LINEAR, cv::INTER_CUBIC,
                                 cv::INTER_AREA};
  return drawn[random.below(drawn.size())];
}

Layout require_hwc(Layout layout, std::string_view transform) {
  base::check(layout != Layout::Encoded, "{} needs decoded pixels: put DecodeImage first",
              transform);
  base::check(layout == Layout::Hwc,
              "{} needs pixels in HWC order: put it before ToCHWImage (and leave out "
              "channel_first)",
              transform);
  return layout;
}

}  // namespace espalier::data
