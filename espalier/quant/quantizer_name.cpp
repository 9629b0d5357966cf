#include "espalier/quant/quantizer_name.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::quant {
namespace {

using enum QuantizerRole;

constexpr bool kPerChannel = true;

constexpr std::array kNames{
    QuantizerName{"abs_max", Weight, "abs_max"},
    QuantizerName{"channel_wise_abs_max", Weight, "abs_max", kPerChannel},
    QuantizerName{"lsq_weight", Weight, "lsq"},
    QuantizerName{"channel_wise_lsq_weight", Weight, "lsq", kPerChannel},
    QuantizerName{"lsq", Weight, "lsq", kPerChannel},
    QuantizerName{"abs_max", Activation, "abs_max"},
    QuantizerName{"range_abs_max", Activation, "range_abs_max"},
    QuantizerName{"moving_average_abs_max", Activation, "moving_average_abs_max"},
    QuantizerName{"moving_average_min_max", Activation, "moving_average_min_max"},
    QuantizerName{"pact", Activation, "pact"},
    QuantizerName{"lsq_act", Activation, "lsq"},
    QuantizerName{"lsq", Activation, "lsq"},
    QuantizerName{"lsqplus_act", Activation, "lsq_plus"},
    QuantizerName{"lsq_plus", Activation, "lsq_plus"},
};

std::string_view text_of(QuantizerRole role) {
  return role == Weight ? "weights" : "activations";
}

}  // namespace

std::span<const QuantizerName> quantizer_names() {
  return kNames;
}

std::vector<std::string> quantizer_names_of(QuantizerRole role) {
  std::vector<std::string> names;
  for (const QuantizerName& row : kNames) {
    if (row.role == role) names.emplace_back(row.name);
  }
  return names;
}

const QuantizerName& find_quantizer(std::string_view name, QuantizerRole role) {
  const auto fits = [&](const QuantizerName& row) { return row.name == name && row.role == role; };
  const auto place = std::ranges::find_if(kNames, fits);
  if (place != kNames.end()) return *place;
  const std::vector<std::string> known = quantizer_names_of(role);
  const bool other = std::ranges::find(kNames, name, &QuantizerName::name) != kNames.end();
  const std::string hint =
      other ? fmt::format("it is a quantizer of {}", text_of(role == Weight ? Activation : Weight))
            : base::suggest_name(name, known);
  throw base::UserError({.what = fmt::format("unknown quantizer of {}", text_of(role)),
                         .got = fmt::format("'{}'", name),
                         .hint = hint});
}

}  // namespace espalier::quant
