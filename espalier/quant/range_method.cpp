#include "espalier/quant/range_method.h"

#include <algorithm>
#include <array>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {
namespace {

constexpr std::array kMethods{
    RangeMethod{"abs_max", "the largest magnitude", abs_max_range},
    RangeMethod{"min_max", "the smallest and the largest value", min_max_range},
    RangeMethod{"avg", "the mean of the samples' extremes", avg_range},
    RangeMethod{"hist", "a share of |x| (0.9999)", hist_range},
    RangeMethod{"percentile", "a two-sided percentile (99.999)", percentile_range},
    RangeMethod{"kl", "the least Kullback-Leibler divergence", kl_range},
    RangeMethod{"mse", "the least squared error", mse_range},
};

}  // namespace

std::span<const RangeMethod> range_methods() {
  return kMethods;
}

std::vector<std::string> range_method_names() {
  std::vector<std::string> names;
  for (const RangeMethod& method : kMethods) names.emplace_back(method.name);
  return names;
}

const RangeMethod& find_range_method(std::string_view name) {
  const auto* const place = std::ranges::find(kMethods, name, &RangeMethod::name);
  if (place != kMethods.end()) return *place;
  std::vector<std::string> names = range_method_names();
  names.emplace_back("auto");
  throw base::UserError({.what = "unknown range method",
                         .got = "'" + std::string(name) + "'",
                         .hint = base::suggest_name(name, names)});
}

}  // namespace espalier::quant
