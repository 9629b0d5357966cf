#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "espalier/data/image.h"
#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// NormalizeImage: (x * scale - mean) / std in float32, channel by channel. Keys: scale (1/255; a
/// number or a fraction as text), mean ([0.485, 0.456, 0.406]), std ([0.229, 0.224, 0.225]; one
/// value serves all channels), order ('' follows the layout; 'hwc' and 'chw' demand it),
/// channel_num (3; 1, or 4 which adds a plane of zeros), output_fp16 (false).
class NormalizeImage : public Transform {
 public:
  struct Options {
    double scale = 1.0 / 255.0;
    std::vector<double> mean{0.485, 0.456, 0.406};
    std::vector<double> deviation{0.229, 0.224, 0.225};
    std::optional<Layout> order = std::nullopt;
    bool add_zero_plane = false;
  };

  explicit NormalizeImage(Options options) : options_(std::move(options)) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override;
  void apply(Image& image, base::Random& random) const override;

  /// Channels of the result. Throws UserError when mean or std do not fit the picture.
  [[nodiscard]] int channels_after(const cv::Mat& pixels) const;
  /// Normalizes straight into planes (C x H x W): the same numbers as apply(), one pass.
  void write_planes(const cv::Mat& pixels, std::span<float> planes) const;

 private:
  struct Channel {
    float scale = 1;
    float mean = 0;
    float deviation = 1;
    [[nodiscard]] float operator()(float value) const { return (value * scale - mean) / deviation; }
  };
  [[nodiscard]] Channel channel(int index) const;

  Options options_;
};

[[nodiscard]] std::unique_ptr<const Transform> make_normalize_image(ParameterReader& parameters);

}  // namespace espalier::data
