#include "espalier/prune/reshape_blocks.h"

#include <algorithm>

namespace espalier::prune {
namespace {

constexpr std::int64_t kLargestProduct = std::int64_t{1} << 40;

/// Axes that hold more than one position or an unknown number, outermost first.
std::vector<std::size_t> long_axes(const tensor::Shape& shape) {
  std::vector<std::size_t> axes;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis].size != std::optional<std::int64_t>(1)) axes.push_back(axis);
  }
  return axes;
}

std::int64_t product_of_known(const tensor::Shape& shape) {
  std::int64_t product = 1;
  for (const tensor::Dim& dim : shape) {
    const std::int64_t size = dim.size.value_or(1);
    if (size <= 0 || size > kLargestProduct / product) return 0;
    product *= size;
  }
  return product;
}

/// Consumes axes of both shapes from the front, and then from the back.
class Aligner {
 public:
  Aligner(const tensor::Shape& input, const tensor::Shape& output)
      : input_(input), output_(output), inputs_(long_axes(input)), outputs_(long_axes(output)) {}

  AlignedShapes align() {
    while (!inputs_.empty() && !outputs_.empty() && take_front()) {
    }
    // Behind a front of unknown size: innermost axes of equal sizes correspond in any case.
    while (!inputs_.empty() && !outputs_.empty() && take_back()) {
    }
    if (!inputs_.empty() && !outputs_.empty()) take_repeated();
    for (const std::size_t axis : inputs_) result_.unmatched_inputs.push_back(axis);
    for (const std::size_t axis : outputs_) result_.unmatched_outputs.push_back(axis);
    return std::move(result_);
  }

 private:
  [[nodiscard]] const tensor::Dim& input_dim(std::size_t index) const {
    return input_[inputs_[index]];
  }
  [[nodiscard]] const tensor::Dim& output_dim(std::size_t index) const {
    return output_[outputs_[index]];
  }

  [[nodiscard]] bool unknown_fronts_agree() const {
    const tensor::Dim& from = input_dim(0);
    const tensor::Dim& to = output_dim(0);
    if (!from.symbol.empty() && from.symbol == to.symbol) return true;
    const auto is_unknown = [](const tensor::Dim& dim) { return !dim.known(); };
    const std::int64_t product = product_of_known(input_);
    return std::ranges::count_if(input_, is_unknown) == 1 &&
           std::ranges::count_if(output_, is_unknown) == 1 && product != 0 &&
           product == product_of_known(output_);
  }

  void drop(std::size_t inputs, std::size_t outputs) {
    inputs_.erase(inputs_.begin(), inputs_.begin() + static_cast<std::ptrdiff_t>(inputs));
    outputs_.erase(outputs_.begin(), outputs_.begin() + static_cast<std::ptrdiff_t>(outputs));
  }

  bool take_front() {
    if (!input_dim(0).known() || !output_dim(0).known()) {
      if (input_dim(0).known() || output_dim(0).known() || !unknown_fronts_agree()) return false;
      result_.same.emplace_back(inputs_[0], outputs_[0]);
      drop(1, 1);
      return true;
    }
    return take_block();
  }

  bool take_back() {
    const tensor::Dim& from = input_[inputs_.back()];
    const tensor::Dim& to = output_[outputs_.back()];
    if (!from.known() || from.size != to.size || *from.size <= 0) return false;
    result_.same.emplace_back(inputs_.back(), outputs_.back());
    inputs_.pop_back();
    outputs_.pop_back();
    return true;
  }

  void take_repeated() {
    const std::optional<std::int64_t> from = input_[inputs_.back()].size;
    const std::optional<std::int64_t> to = output_[outputs_.back()].size;
    if (!from || !to || *from <= 0 || *to <= 0) return;
    if (std::max(*from, *to) % std::min(*from, *to) != 0) return;
    result_.repeated = {inputs_.back(), outputs_.back()};
    inputs_.pop_back();
    outputs_.pop_back();
  }

  /// The shortest runs of known axes with equal products.
  bool take_block() {
    std::int64_t from = *input_dim(0).size;
    std::int64_t to = *output_dim(0).size;
    std::size_t num_inputs = 1;
    std::size_t num_outputs = 1;
    if (from <= 0 || to <= 0) return false;
    while (from != to) {
      const bool grow_input = from < to;
      std::int64_t& product = grow_input ? from : to;
      std::size_t& count = grow_input ? num_inputs : num_outputs;
      if (count >= (grow_input ? inputs_ : outputs_).size()) return false;
      const tensor::Dim& next = grow_input ? input_dim(count) : output_dim(count);
      if (!next.known() || *next.size <= 0 || *next.size > kLargestProduct / product) return false;
      product *= *next.size;
      ++count;
    }
    if (num_inputs == 1 && num_outputs == 1) {
      result_.same.emplace_back(inputs_[0], outputs_[0]);
    } else {
      result_.blocks.push_back(
          {.inputs = {inputs_.begin(), inputs_.begin() + static_cast<std::ptrdiff_t>(num_inputs)},
           .outputs = {outputs_.begin(),
                       outputs_.begin() + static_cast<std::ptrdiff_t>(num_outputs)}});
    }
    drop(num_inputs, num_outputs);
    return true;
  }

  const tensor::Shape& input_;
  const tensor::Shape& output_;
  std::vector<std::size_t> inputs_;
  std::vector<std::size_t> outputs_;
  AlignedShapes result_;
};

/// Products of sizes from the inside: boundaries[i] = elements inside of axis i.
std::vector<std::int64_t> strides_of(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> strides(sizes.size(), 1);
  for (std::size_t axis = sizes.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * sizes[axis];
  }
  return strides;
}

/// The innermost axis whose elements reach as far out as `stride`: strides[i] <= stride.
std::size_t axis_at(const std::vector<std::int64_t>& strides, std::int64_t stride) {
  std::size_t axis = 0;
  while (strides[axis] > stride) ++axis;
  return axis;
}

}  // namespace

AlignedShapes align_shapes(const tensor::Shape& input, const tensor::Shape& output) {
  return Aligner(input, output).align();
}

std::optional<std::vector<Factor>> common_factors(const std::vector<std::int64_t>& input,
                                                  const std::vector<std::int64_t>& output) {
  const std::vector<std::int64_t> input_strides = strides_of(input);
  const std::vector<std::int64_t> output_strides = strides_of(output);
  std::vector<std::int64_t> boundaries = input_strides;
  boundaries.insert(boundaries.end(), output_strides.begin(), output_strides.end());
  boundaries.push_back(input_strides[0] * input[0]);
  std::ranges::sort(boundaries, std::greater{});
  boundaries.erase(std::unique(boundaries.begin(), boundaries.end()), boundaries.end());
  std::vector<Factor> factors;
  for (std::size_t index = 0; index + 1 < boundaries.size(); ++index) {
    const std::int64_t outer = boundaries[index];
    const std::int64_t inner = boundaries[index + 1];
    if (outer % inner != 0) return std::nullopt;
    const std::size_t from = axis_at(input_strides, inner);
    const std::size_t to = axis_at(output_strides, inner);
    factors.push_back({.size = outer / inner,
                       .input = from,
                       .input_stride = inner / input_strides[from],
                       .output = to,
                       .output_stride = inner / output_strides[to]});
  }
  return factors;
}

}  // namespace espalier::prune
