#include "espalier/data/transform_chain.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/data/image.h"
#include "espalier/data/planes.h"
#include "espalier/data/transforms/normalize_image.h"

namespace espalier::data {

/// The steps in order. A NormalizeImage at the end is kept apart: it writes the planes itself.
struct TransformChain::Plan {
  std::vector<std::unique_ptr<const Transform>> steps;
  std::unique_ptr<const NormalizeImage> last_step;
  bool decodes = false;
};

namespace {

/// "data.yaml:14: text", or the text alone.
base::UserError at_place(const std::string& where, const base::Error& problem) {
  return base::UserError(where.empty() ? problem.what()
                                       : fmt::format("{}: {}", where, problem.what()));
}

}  // namespace

TransformChain::TransformChain(const std::vector<TransformConfig>& configs) {
  auto plan = std::make_unique<Plan>();
  plan->decodes = !configs.empty() && configs.front().name == "DecodeImage";
  Layout layout = plan->decodes ? Layout::Encoded : Layout::Hwc;
  for (const TransformConfig& config : configs) {
    base::check(config.name != "DecodeImage" || plan->steps.empty(),
                "DecodeImage must come first: move it to the top of the transforms");
    auto transform = make_transform(config);
    try {
      layout = transform->layout_after(layout);
    } catch (const base::UserError& problem) {
      throw at_place(config.where, problem);
    }
    // Reordering happens when the planes are written.
    if (config.name != "ToCHWImage") plan->steps.push_back(std::move(transform));
  }
  if (layout != Layout::Chw) {
    throw base::UserError({.what = "the transforms end with pixels in HWC order",
                           .expected = "CHW, as networks take it",
                           .hint = "add ToCHWImage at the end"});
  }
  if (!plan->steps.empty()) {
    if (const auto* last = dynamic_cast<const NormalizeImage*>(plan->steps.back().get())) {
      (void)plan->steps.back().release();
      plan->steps.pop_back();
      plan->last_step.reset(last);
    }
  }
  plan_ = std::move(plan);
}

TransformChain::~TransformChain() = default;

TransformChain::Result::Result(std::unique_ptr<Image> image, ImageShape shape)
    : image_(std::move(image)), shape_(shape) {}
TransformChain::Result::Result(Result&&) noexcept = default;
TransformChain::Result::~Result() = default;

bool TransformChain::decodes() const {
  return plan_->decodes;
}

TransformChain::Result TransformChain::run(const Sample& sample, base::Random& random) const {
  auto image = std::make_unique<Image>();
  image->encoded = sample.encoded;
  if (!sample.pixels.bytes.empty()) {
    const PixelView& view = sample.pixels;
    image->pixels = cv::Mat(static_cast<int>(view.height), static_cast<int>(view.width),
                            CV_8UC(static_cast<int>(view.channels)),
                            const_cast<std::uint8_t*>(view.bytes.data()));  // never written to
  }
  try {
    for (const auto& step : plan_->steps) step->apply(*image, random);
  } catch (const cv::Exception& problem) {
    throw base::UserError({.what = "the image cannot be processed", .got = problem.err});
  }
  const cv::Mat& pixels = image->pixels;
  base::check(!pixels.empty(), "the sample is a file: put DecodeImage first");
  const ImageShape shape{
      .channels = plan_->last_step ? plan_->last_step->channels_after(pixels) : pixels.channels(),
      .height = pixels.rows,
      .width = pixels.cols};
  return Result(std::move(image), shape);
}

void TransformChain::write(const Result& result, std::span<float> planes) const {
  base::invariant(static_cast<std::int64_t>(planes.size()) == result.shape().num_elements(),
                  "{} floats for an image of {}", planes.size(), result.shape().num_elements());
  const cv::Mat& pixels = result.image_->pixels;
  if (plan_->last_step) {
    plan_->last_step->write_planes(pixels, planes);
    return;
  }
  for (int index = 0; index < pixels.channels(); ++index) {
    const auto plane =
        planes.subspan(pixels.total() * static_cast<std::size_t>(index), pixels.total());
    const auto convert = [](auto value) { return static_cast<float>(value); };
    if (pixels.depth() == CV_8U) {
      write_plane<std::uint8_t>(pixels, index, plane, convert);
    } else {
      write_plane<float>(pixels, index, plane, convert);
    }
  }
}

}  // namespace espalier::data
