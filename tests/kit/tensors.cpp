#include "tests/kit/tensors.h"

#include <cmath>
#include <cstring>
#include <span>

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/random.h"

namespace espalier::kit {
namespace {

/// [2, 0, 5] of the element at a row-major position.
std::vector<std::int64_t> index_of(std::int64_t position, at::IntArrayRef sizes) {
  std::vector<std::int64_t> index(sizes.size());
  for (std::size_t axis = sizes.size(); axis-- > 0;) {
    index[axis] = position % sizes[axis];
    position /= sizes[axis];
  }
  return index;
}

bool within(double actual, double expected, const Tolerance& tolerance) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  return std::abs(actual - expected) <=
         tolerance.absolute + tolerance.relative * std::abs(expected);
}

std::string size_difference(const Tensor& actual, const Tensor& expected) {
  if (!actual.defined() || !expected.defined()) {
    return actual.defined() == expected.defined() ? "" : "only one of the tensors is defined";
  }
  if (actual.sizes() == expected.sizes()) return "";
  return fmt::format("sizes are [{}], expected [{}]", fmt::join(actual.sizes(), ", "),
                     fmt::join(expected.sizes(), ", "));
}

}  // namespace

Tensor tensor_of(const std::vector<float>& values, const Sizes& sizes) {
  auto* data = const_cast<float*>(values.data());
  return at::from_blob(data, {static_cast<std::int64_t>(values.size())}, at::kFloat)
      .clone()
      .reshape(sizes);
}

Tensor integers_of(const std::vector<std::int64_t>& values, const Sizes& sizes) {
  auto* data = const_cast<std::int64_t*>(values.data());
  return at::from_blob(data, {static_cast<std::int64_t>(values.size())}, at::kLong)
      .clone()
      .reshape(sizes);
}

Tensor random_tensor(const Sizes& sizes, std::uint64_t seed, const Draw& draw) {
  base::Random random(seed);
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = draw.normal ? random.normal() : random.uniform(draw.low, draw.high);
  }
  return at::from_blob(values.data(), sizes, at::kDouble).to(draw.type).clone();
}

std::vector<double> values_of(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(at::kCPU).to(at::kDouble).contiguous();
  const auto* data = flat.const_data_ptr<double>();
  return {data, data + flat.numel()};
}

std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  std::string text = size_difference(actual, expected);
  if (!text.empty() || !actual.defined()) return text;
  const std::vector<double> left = values_of(actual);
  const std::vector<double> right = values_of(expected);
  std::size_t count = 0;
  std::size_t first = 0;
  double largest = 0;
  for (std::size_t position = 0; position < left.size(); ++position) {
    largest = std::fmax(largest, std::abs(left[position] - right[position]));
    if (within(left[position], right[position], tolerance)) continue;
    if (count++ == 0) first = position;
  }
  if (count == 0) return "";
  return fmt::format(
      "{} of {} elements differ, the first at [{}]: got {}, expected {}; largest difference {}",
      count, left.size(),
      fmt::join(index_of(static_cast<std::int64_t>(first), expected.sizes()), ", "), left[first],
      right[first], largest);
}

std::string bit_difference(const Tensor& actual, const Tensor& expected) {
  std::string text = size_difference(actual, expected);
  if (!text.empty() || !actual.defined()) return text;
  if (actual.scalar_type() != expected.scalar_type()) {
    return fmt::format("type is {}, expected {}", c10::toString(actual.scalar_type()),
                       c10::toString(expected.scalar_type()));
  }
  const Tensor left = actual.detach().to(at::kCPU).contiguous();
  const Tensor right = expected.detach().to(at::kCPU).contiguous();
  const auto* left_bytes = static_cast<const char*>(left.const_data_ptr());
  const auto* right_bytes = static_cast<const char*>(right.const_data_ptr());
  const std::size_t width = left.element_size();
  for (std::int64_t position = 0; position < left.numel(); ++position) {
    const std::size_t offset = static_cast<std::size_t>(position) * width;
    if (std::memcmp(left_bytes + offset, right_bytes + offset, width) == 0) continue;
    const auto at = static_cast<std::size_t>(position);
    return fmt::format("bits differ first at [{}]: got {}, expected {}",
                       fmt::join(index_of(position, expected.sizes()), ", "), values_of(actual)[at],
                       values_of(expected)[at]);
  }
  return "";
}

}  // namespace espalier::kit
