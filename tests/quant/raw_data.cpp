#include "tests/quant/raw_data.h"

#include <algorithm>
#include <cmath>

#include "espalier/base/random.h"

namespace espalier::quant_test {

std::vector<RawData> raw_data_sets(std::size_t count) {
  std::vector<RawData> sets{{"normal", {}},  {"relu", {}},     {"heavy", {}},  {"outlier", {}},
                            {"shifted", {}}, {"negative", {}}, {"uniform", {}}};
  base::Random random(17);
  for (std::size_t index = 0; index < count; ++index) {
    const double x = random.normal();
    const double uniform = random.uniform(-2.0, 5.0);
    const double numbers[] = {x, std::max(x, 0.0), x * x * x, x, 3 + 0.5 * x, -x * x, uniform};
    for (std::size_t set = 0; set < sets.size(); ++set) {
      sets[set].values.push_back(static_cast<float>(numbers[set]));
    }
  }
  sets[3].values[7] = 60.0F;
  return sets;
}

double exact_squared_error(const std::vector<float>& values, const tensor::ScaleAndZero& params,
                           const tensor::QuantGrid& grid) {
  double sum = 0;
  for (const float value : values) {
    const double code =
        std::clamp(std::nearbyint(static_cast<double>(value) / static_cast<double>(params.scale)) +
                       params.zero_point,
                   static_cast<double>(grid.qmin()), static_cast<double>(grid.qmax()));
    const double error =
        (code - params.zero_point) * static_cast<double>(params.scale) - static_cast<double>(value);
    sum += error * error;
  }
  return sum;
}

double exact_quantile(std::vector<float> values, double share) {
  std::ranges::sort(values);
  const auto wanted =
      static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return static_cast<double>(values[std::clamp<std::size_t>(wanted, 1, values.size()) - 1]);
}

double exact_magnitude_quantile(std::vector<float> values, double share) {
  for (float& value : values) value = std::abs(value);
  return exact_quantile(std::move(values), share);
}

std::vector<GridCase> grid_cases() {
  return {{"u8", {.bits = 8}, false},
          {"u8 symmetric", {.bits = 8}, true},
          {"s8", {.bits = 8, .is_signed = true}, false},
          {"s8 symmetric", {.bits = 8, .is_signed = true}, true},
          {"u4", {.bits = 4}, false},
          {"s4 symmetric", {.bits = 4, .is_signed = true}, true}};
}

}  // namespace espalier::quant_test
