#include "espalier/deploy/output_match.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"

namespace espalier::deploy {

void OutputMatch::add(std::span<const Tensor> reference, std::span<const Tensor> test) {
  base::check(reference.size() == test.size() && !reference.empty(),
              "the outputs cannot be compared: got {} outputs, expected {}", test.size(),
              reference.size());
  if (outputs_.empty()) outputs_.resize(reference.size());
  for (std::size_t index = 0; index < reference.size(); ++index) {
    const Tensor& expected = reference[index];
    const Tensor& got = test[index];
    base::check(
        expected.sizes() == got.sizes() && expected.is_floating_point() == got.is_floating_point(),
        "output {} cannot be compared: got {} [{}], expected {} [{}]", index, got.dtype().name(),
        fmt::join(got.sizes(), ", "), expected.dtype().name(), fmt::join(expected.sizes(), ", "));
    Output& output = outputs_.at(index);
    output.kind = output_kind(expected, meaning_);
    output.agreement.add(expected, got, output.kind);
    output.noise.add({&expected, 1}, {&got, 1});
  }
}

const OutputMatch::Output* OutputMatch::worst_classes() const {
  const Output* worst = nullptr;
  for (const Output& output : outputs_) {
    const std::optional<double> share = output.agreement.share();
    if (share && (worst == nullptr || *share < *worst->agreement.share())) worst = &output;
  }
  return worst;
}

std::optional<double> OutputMatch::agreement() const {
  const Output* worst = worst_classes();
  return worst == nullptr ? std::nullopt : worst->agreement.share();
}

std::int64_t OutputMatch::different() const {
  const Output* worst = worst_classes();
  return worst == nullptr ? 0 : worst->agreement.different();
}

std::optional<double> OutputMatch::value_decibel() const {
  std::optional<double> least;
  for (const Output& output : outputs_) {
    if (output.kind != OutputKind::Values) continue;
    const std::optional<double> decibel = output.noise.decibel();
    if (!decibel) return std::nullopt;
    least = std::min(least.value_or(*decibel), *decibel);
  }
  return least;
}

}  // namespace espalier::deploy
