#include "tests/data/pictures.h"

#include <span>

#include <opencv2/imgcodecs.hpp>

#include "espalier/base/random.h"

namespace espalier::data {
namespace {

Planes run(std::vector<TransformConfig> configs, const Sample& sample, std::uint64_t seed) {
  if (configs.empty() || configs.back().name != "ToCHWImage")
    configs.push_back({.name = "ToCHWImage"});
  const TransformChain chain(configs);
  base::Random random(seed);
  const TransformChain::Result result = chain.run(sample, random);
  Planes planes{
      .shape = result.shape(),
      .values = std::vector<float>(static_cast<std::size_t>(result.shape().num_elements()))};
  chain.write(result, planes.values);
  return planes;
}

}  // namespace

std::uint8_t Picture::at(std::int64_t y, std::int64_t x, std::int64_t channel) {
  return static_cast<std::uint8_t>((7 * x + 13 * y + 29 * channel + 3 * x * y) % 256);
}

std::vector<std::uint8_t> Picture::pixels() const {
  std::vector<std::uint8_t> result;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t channel = 0; channel < channels; ++channel)
        result.push_back(at(y, x, channel));
    }
  }
  return result;
}

std::string Picture::encode(const std::string& extension) const {
  cv::Mat matrix(static_cast<int>(height), static_cast<int>(width),
                 CV_8UC(static_cast<int>(channels)));
  for (int y = 0; y < matrix.rows; ++y) {
    for (int x = 0; x < matrix.cols; ++x) {
      for (int channel = 0; channel < matrix.channels(); ++channel) {
        // Files hold RGB; OpenCV takes BGR.
        const int stored = matrix.channels() == 3 ? 2 - channel : channel;
        matrix.ptr(y)[x * matrix.channels() + stored] = at(y, x, channel);
      }
    }
  }
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, matrix, bytes);
  return {bytes.begin(), bytes.end()};
}

std::vector<float> Planes::plane(std::int64_t channel) const {
  const std::int64_t size = shape.height * shape.width;
  return {values.begin() + channel * size, values.begin() + (channel + 1) * size};
}

Planes run_transforms(std::vector<TransformConfig> configs, const Picture& picture,
                      std::uint64_t seed) {
  Sample sample{.storage = picture.pixels()};
  sample.pixels = {.height = picture.height,
                   .width = picture.width,
                   .channels = picture.channels,
                   .bytes = sample.storage};
  return run(std::move(configs), sample, seed);
}

Planes run_transforms(std::vector<TransformConfig> configs, std::string encoded,
                      std::uint64_t seed) {
  return run(std::move(configs), {.encoded = std::move(encoded)}, seed);
}

}  // namespace espalier::data
