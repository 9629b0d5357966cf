#include "espalier/data/datasets/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include <fmt/format.h>

#include "espalier/base/random.h"

namespace espalier::data {
namespace {

struct SyntheticOptions {
  std::pair<int, int> size{32, 32};
  std::int64_t channels = 3;
  std::int64_t classes = 10;
  std::int64_t count = 1000;
  std::int64_t seed = 0;
  double noise = 20;
};

/// What the samples of a class share.
struct Grating {
  double frequency_x = 0;  ///< radians a pixel
  double frequency_y = 0;
  std::array<double, 3> colour{};
};

Grating draw_grating(std::int64_t label, const SyntheticOptions& options) {
  constexpr std::uint64_t kClasses = 0xC1A55;  // a stream apart from those of the samples
  base::Random random(kClasses, static_cast<std::uint64_t>(label));
  const double turn =
      std::numbers::pi * static_cast<double>(label) / static_cast<double>(options.classes);
  const double frequency = 2.0 * std::numbers::pi / random.uniform(4.0, 10.0);
  Grating grating{.frequency_x = frequency * std::cos(turn),
                  .frequency_y = frequency * std::sin(turn)};
  for (double& part : grating.colour) part = random.uniform(0.3, 1.0);
  return grating;
}

std::uint8_t to_level(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

class Synthetic : public Dataset {
 public:
  explicit Synthetic(const SyntheticOptions& options) : options_(options) {
    for (std::int64_t label = 0; label < options.classes; ++label) {
      gratings_.push_back(draw_grating(label, options));
    }
  }

  [[nodiscard]] std::size_t size() const override {
    return static_cast<std::size_t>(options_.count);
  }

  [[nodiscard]] Sample read(std::size_t index) const override {
    const auto label = static_cast<std::int64_t>(index) % options_.classes;
    base::Random random(static_cast<std::uint64_t>(options_.seed), index);
    Sample sample{.label = label};
    sample.storage = paint(gratings_[static_cast<std::size_t>(label)], random);
    sample.pixels = {.height = options_.size.second,
                     .width = options_.size.first,
                     .channels = options_.channels,
                     .bytes = sample.storage};
    return sample;
  }

  [[nodiscard]] std::string describe(std::size_t index) const override {
    return fmt::format("synthetic image {}", index);
  }
  [[nodiscard]] std::int64_t num_classes() const override { return options_.classes; }
  [[nodiscard]] bool encoded() const override { return false; }

 private:
  [[nodiscard]] std::vector<std::uint8_t> paint(const Grating& grating,
                                                base::Random& random) const {
    const double phase = random.uniform(0.0, 2.0 * std::numbers::pi);
    const double contrast = random.uniform(40.0, 90.0);
    const double brightness = random.uniform(100.0, 156.0);
    const auto [width, height] = options_.size;
    std::vector<std::uint8_t> pixels;
    pixels.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                   static_cast<std::size_t>(options_.channels));
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const double wave =
            contrast * std::cos(grating.frequency_x * x + grating.frequency_y * y + phase);
        // The sum of two uniform draws: a triangle of the wanted deviation.
        const double noise =
            options_.noise * std::sqrt(6.0) * (random.uniform() + random.uniform() - 1.0);
        for (std::int64_t channel = 0; channel < options_.channels; ++channel) {
          const double strength = grating.colour[static_cast<std::size_t>(channel)];
          pixels.push_back(to_level(brightness + wave * strength + noise));
        }
      }
    }
    return pixels;
  }

  SyntheticOptions options_;
  std::vector<Grating> gratings_;
};

}  // namespace

DatasetPtr open_synthetic(const Opening& opening) {
  constexpr std::int64_t kMany = 1'000'000'000;
  ParameterReader& parameters = opening.parameters;
  SyntheticOptions options;
  options.size = parameters.size("size").value_or(options.size);
  options.channels = parameters.integer("channels", options.channels, {.lowest = 1, .highest = 3});
  if (options.channels == 2) parameters.fail("channels", "1 or 3");
  options.classes =
      parameters.integer("classes", options.classes, {.lowest = 1, .highest = 100'000});
  options.count = parameters.integer("count", options.count, {.lowest = 1, .highest = kMany});
  options.seed = parameters.integer("seed", options.seed, {.lowest = 0, .highest = kMany});
  options.noise = parameters.number("noise", options.noise);
  if (options.noise < 0 || options.noise > 255) parameters.fail("noise", "a number in 0..255");
  parameters.finish();
  return std::make_shared<Synthetic>(options);
}

}  // namespace espalier::data
