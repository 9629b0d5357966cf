#include "espalier/exec/kernels/size_limit.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace espalier::exec {
namespace {

[[noreturn]] void refuse(std::span<const std::int64_t> sizes, std::string_view reason) {
  throw std::invalid_argument(
      fmt::format("the result would have sizes [{}]: {}", fmt::join(sizes, ", "), reason));
}

}  // namespace

void check_elements(std::span<const std::int64_t> sizes) {
  std::int64_t elements = 1;
  for (const std::int64_t size : sizes) {
    if (size < 0) refuse(sizes, "a size is negative");
    const std::int64_t factor = std::max<std::int64_t>(size, 1);
    if (__builtin_mul_overflow(elements, factor, &elements) || elements > kMaxElements) {
      refuse(sizes, "more than 2^31 elements");
    }
  }
}

void check_padded(std::span<const std::int64_t> sizes, std::span<const std::int64_t> begin,
                  std::span<const std::int64_t> end) {
  std::vector<std::int64_t> padded(sizes.begin(), sizes.end());
  const std::size_t first = sizes.size() - begin.size();
  for (std::size_t axis = 0; axis < begin.size(); ++axis) {
    std::int64_t& size = padded[first + axis];
    if (__builtin_add_overflow(size, begin[axis], &size) ||
        __builtin_add_overflow(size, end[axis], &size)) {
      throw std::invalid_argument(fmt::format("pads of {} and {}", begin[axis], end[axis]));
    }
  }
  check_elements(padded);
}

}  // namespace espalier::exec
