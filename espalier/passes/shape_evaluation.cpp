#include "espalier/passes/shape_evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string_view>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

using Kind = ShapeNumber::Kind;
using Numbers = std::vector<ShapeNumber>;
using Inputs = std::vector<const ShapeVector*>;  ///< null: left out or not followed
using Result = std::optional<ShapeVector>;

/// Longer vectors are no shapes.
constexpr std::size_t kLongest = 64;

struct Call {
  const ir::Node& node;
  const Inputs& inputs;
  std::size_t output = 0;

  [[nodiscard]] const ShapeVector* input(std::size_t index) const {
    return index < inputs.size() ? inputs[index] : nullptr;
  }
  /// Known integers of an input.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::size_t index) const {
    const ShapeVector* vector = input(index);
    return vector == nullptr ? std::nullopt : vector->integers();
  }
};

Result constant_vector(const Tensor& tensor) {
  if (tensor.dim() > 1 || tensor.numel() > static_cast<std::int64_t>(kLongest)) return std::nullopt;
  const at::ScalarType type = tensor.scalar_type();
  const bool is_integer = type == at::kLong || type == at::kInt || type == at::kBool;
  if (!is_integer && type != at::kFloat && type != at::kDouble) return std::nullopt;
  ShapeVector vector{
      .numbers = {}, .scalar = tensor.dim() == 0, .dtype = tensor::from_scalar_type(type)};
  const Tensor flat = tensor.reshape({-1});
  for (std::int64_t index = 0; index < flat.numel(); ++index) {
    vector.numbers.push_back(is_integer ? ShapeNumber::of_integer(flat[index].item<std::int64_t>())
                                        : ShapeNumber::of_real(flat[index].item<double>()));
  }
  return vector;
}

/// Index into a list of `size`, negative ones from the end, clamped to [0, size].
std::size_t clamp_index(std::int64_t index, std::size_t size) {
  const auto length = static_cast<std::int64_t>(size);
  return static_cast<std::size_t>(
      std::clamp(index < 0 ? index + length : index, std::int64_t{0}, length));
}

Result shape(const Call& call) {
  const auto& dims = call.node.input(0)->type().shape;
  if (!dims) return std::nullopt;
  const std::size_t begin = clamp_index(call.node.get_int("start", 0), dims->size());
  const std::size_t end =
      clamp_index(call.node.get_int("end", std::numeric_limits<std::int64_t>::max()), dims->size());
  ShapeVector vector;
  for (std::size_t axis = begin; axis < end; ++axis) {
    vector.numbers.push_back(number_of_dim((*dims)[axis], call.node.input(0)->name(), axis));
  }
  return vector;
}

Result size(const Call& call) {
  const auto& dims = call.node.input(0)->type().shape;
  const auto elements = dims ? tensor::num_elements(*dims) : std::nullopt;
  if (!elements) return std::nullopt;
  return ShapeVector{.numbers = {ShapeNumber::of_integer(*elements)}, .scalar = true};
}

Result gather(const Call& call) {
  const auto indices = call.integers(1);
  const ShapeVector* data = call.input(0);
  if (data == nullptr || !indices || data->scalar || call.node.get_int("axis", 0) != 0) {
    return std::nullopt;
  }
  ShapeVector vector{.numbers = {}, .scalar = call.input(1)->scalar, .dtype = data->dtype};
  const auto length = static_cast<std::int64_t>(data->numbers.size());
  for (const std::int64_t index : *indices) {
    const std::int64_t place = index < 0 ? index + length : index;
    if (place < 0 || place >= length) return std::nullopt;
    vector.numbers.push_back(data->numbers[static_cast<std::size_t>(place)]);
  }
  return vector;
}

Result slice(const Call& call) {
  const ShapeVector* data = call.input(0);
  const auto starts = call.integers(1);
  const auto ends = call.integers(2);
  if (data == nullptr || data->scalar || !starts || !ends) return std::nullopt;
  const auto steps = call.node.input(4) == nullptr ? std::vector<std::int64_t>{1}
                                                   : call.integers(4).value_or(ir::Ints{});
  if (starts->size() != 1 || ends->size() != 1 || steps.size() != 1) return std::nullopt;
  ShapeVector vector{.numbers = {}, .dtype = data->dtype};
  const auto length = static_cast<std::int64_t>(data->numbers.size());
  if (steps[0] == 0 || steps[0] > length + 1 || steps[0] < -length - 1) return std::nullopt;
  const bool forward = steps[0] > 0;
  const auto bounded = [&](std::int64_t index) {
    const std::int64_t place = index < 0 ? std::max(index, -length - 1) + length : index;
    return forward ? std::clamp(place, std::int64_t{0}, length)
                   : std::clamp(place, std::int64_t{-1}, length - 1);
  };
  const std::int64_t end = bounded((*ends)[0]);
  for (std::int64_t index = bounded((*starts)[0]); forward ? index < end : index > end;
       index += steps[0]) {
    vector.numbers.push_back(data->numbers[static_cast<std::size_t>(index)]);
  }
  return vector;
}

Result split(const Call& call) {
  const ShapeVector* data = call.input(0);
  if (data == nullptr || data->scalar) return std::nullopt;
  const std::size_t parts = call.node.outputs().size();
  std::size_t begin = 0;
  std::size_t length = data->numbers.size() / parts;
  if (call.node.input(1) != nullptr) {
    const auto lengths = call.integers(1);
    if (!lengths || lengths->size() != parts) return std::nullopt;
    for (std::size_t part = 0; part < call.output; ++part) {
      begin += clamp_index((*lengths)[part], data->numbers.size());
    }
    length = clamp_index((*lengths)[call.output], data->numbers.size());
  } else {
    if (data->numbers.size() % parts != 0) return std::nullopt;
    begin = length * call.output;
  }
  if (begin + length > data->numbers.size()) return std::nullopt;
  const auto first = data->numbers.begin() + static_cast<std::ptrdiff_t>(begin);
  return ShapeVector{.numbers = Numbers(first, first + static_cast<std::ptrdiff_t>(length)),
                     .dtype = data->dtype};
}

Result concat(const Call& call) {
  ShapeVector vector;
  for (std::size_t index = 0; index < call.inputs.size(); ++index) {
    const ShapeVector* part = call.inputs[index];
    if (part != nullptr && part->scalar) return std::nullopt;
    if (part != nullptr) {
      vector.dtype = part->dtype;
      vector.numbers.insert(vector.numbers.end(), part->numbers.begin(), part->numbers.end());
      continue;
    }
    // A part of known length with unknown content, as a computed size of one dimension.
    const auto& type = call.node.input(index)->type();
    if (!type.shape || type.shape->size() != 1 || !(*type.shape)[0].known()) return std::nullopt;
    const std::int64_t length = *(*type.shape)[0].size;
    if (length > static_cast<std::int64_t>(kLongest)) return std::nullopt;
    vector.dtype = type.dtype;
    vector.numbers.resize(vector.numbers.size() + static_cast<std::size_t>(length));
  }
  return vector;
}

Result pass_on(const Call& call) {
  return call.input(0) == nullptr ? std::nullopt : Result(*call.input(0));
}

/// Squeeze, Unsqueeze, Reshape, Flatten: the numbers stay, the rank is what the output's type says.
Result reshape(const Call& call) {
  Result vector = pass_on(call);
  if (!vector) return std::nullopt;
  const auto& dims = call.node.output(call.output)->type().shape;
  const bool one = vector->numbers.size() == 1;
  if (!dims) {
    if (!one || (!call.node.is("Squeeze") && !call.node.is("Unsqueeze"))) return std::nullopt;
    if (call.node.is("Unsqueeze") && !vector->scalar) return std::nullopt;
    vector->scalar = call.node.is("Squeeze");
    return vector;
  }
  if (dims->size() > 1) return std::nullopt;
  vector->scalar = dims->empty();
  return vector;
}

ShapeNumber cast_number(const ShapeNumber& number, tensor::DType dtype) {
  if (tensor::is_floating(dtype)) {
    if (!number.is_constant()) return {};
    const double value = number.as_real();
    const bool rounds = dtype != tensor::DType::Float64;
    return ShapeNumber::of_real(rounds ? static_cast<double>(static_cast<float>(value)) : value);
  }
  if (dtype == tensor::DType::Bool) {
    if (!number.is_constant()) return {};
    return ShapeNumber::of_integer(number.as_real() != 0 ? 1 : 0);
  }
  constexpr double kLimit = 9.0e18;
  if (number.kind != Kind::Real) return number;
  if (!(std::abs(number.real) < kLimit)) return {};
  return ShapeNumber::of_integer(static_cast<std::int64_t>(number.real));
}

Result cast(const Call& call) {
  using tensor::DType;
  constexpr std::array<std::pair<std::int64_t, DType>, 5> kTypes{{{1, DType::Float32},
                                                                  {6, DType::Int32},
                                                                  {7, DType::Int64},
                                                                  {9, DType::Bool},
                                                                  {11, DType::Float64}}};
  Result vector = pass_on(call);
  const std::int64_t wanted = call.node.get_int("to", 0);
  const auto type = std::ranges::find(kTypes, wanted, &std::pair<std::int64_t, DType>::first);
  if (!vector || type == kTypes.end()) return std::nullopt;
  vector->dtype = type->second;
  for (ShapeNumber& number : vector->numbers) {
    number = cast_number(number, vector->dtype);
    constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
    const bool fits = number.integer <= kMaxInt32 && number.integer >= -kMaxInt32 - 1;
    if (vector->dtype == DType::Int32 && !fits) number = {};
  }
  return vector;
}

/// Applies a function of two numbers with broadcasting between vectors of length 1 and n.
Result zip(const ShapeVector& left, const ShapeVector& right,
           const std::function<ShapeNumber(const ShapeNumber&, const ShapeNumber&)>& function) {
  const std::size_t length = std::max(left.numbers.size(), right.numbers.size());
  const auto fits = [length](const ShapeVector& vector) {
    return vector.numbers.size() == length || vector.numbers.size() == 1;
  };
  if (!fits(left) || !fits(right)) return std::nullopt;
  ShapeVector vector{.numbers = {}, .scalar = left.scalar && right.scalar, .dtype = left.dtype};
  for (std::size_t index = 0; index < length; ++index) {
    vector.numbers.push_back(function(left.numbers[left.numbers.size() == 1 ? 0 : index],
                                      right.numbers[right.numbers.size() == 1 ? 0 : index]));
  }
  return vector;
}

template <ShapeOperation operation>
Result arithmetic(const Call& call) {
  if (operation == ShapeOperation::Mod && call.node.get_int("fmod", 0) != 0) return std::nullopt;
  Result total = pass_on(call);
  for (std::size_t index = 1; total && index < call.inputs.size(); ++index) {
    if (call.inputs[index] == nullptr) return std::nullopt;
    const tensor::DType dtype = total->dtype;
    total = zip(*total, *call.inputs[index],
                [dtype](const ShapeNumber& left, const ShapeNumber& right) {
                  return calculate(operation, left, right, dtype);
                });
  }
  constexpr bool kCompares = operation == ShapeOperation::Equal ||
                             operation == ShapeOperation::Less ||
                             operation == ShapeOperation::Greater;
  if (total && kCompares) total->dtype = tensor::DType::Bool;
  return total;
}

Result where(const Call& call) {
  const ShapeVector* condition = call.input(0);
  const ShapeVector* yes = call.input(1);
  const ShapeVector* no = call.input(2);
  if (condition == nullptr || yes == nullptr || no == nullptr) return std::nullopt;
  const std::size_t length =
      std::max({condition->numbers.size(), yes->numbers.size(), no->numbers.size()});
  ShapeVector vector{
      .numbers = {}, .scalar = condition->scalar && yes->scalar && no->scalar, .dtype = yes->dtype};
  for (std::size_t index = 0; index < length; ++index) {
    const auto pick = [index, length](const ShapeVector& from) -> const ShapeNumber* {
      if (from.numbers.size() == 1) return from.numbers.data();
      return from.numbers.size() == length ? &from.numbers[index] : nullptr;
    };
    const ShapeNumber* decision = pick(*condition);
    const ShapeNumber* first = pick(*yes);
    const ShapeNumber* second = pick(*no);
    if (decision == nullptr || first == nullptr || second == nullptr) return std::nullopt;
    if (*first == *second && first->kind != Kind::Unknown) {
      vector.numbers.push_back(*first);
    } else if (decision->kind == Kind::Integer) {
      vector.numbers.push_back(decision->integer != 0 ? *first : *second);
    } else {
      vector.numbers.emplace_back();
    }
  }
  return vector;
}

template <double (*function)(double)>
Result round_reals(const Call& call) {
  Result vector = pass_on(call);
  if (!vector) return std::nullopt;
  for (ShapeNumber& number : vector->numbers) {
    number =
        number.kind == Kind::Real ? ShapeNumber::of_real(function(number.real)) : ShapeNumber{};
  }
  return vector;
}

Result negate(const Call& call) {
  Result vector = pass_on(call);
  if (!vector) return std::nullopt;
  for (ShapeNumber& number : vector->numbers) {
    number = number.kind == Kind::Real ? ShapeNumber::of_real(-number.real)
                                       : calculate(ShapeOperation::Sub, ShapeNumber::of_integer(0),
                                                   number, vector->dtype);
  }
  return vector;
}

template <ShapeOperation operation>
Result reduce(const Call& call) {
  Result vector = pass_on(call);
  if (!vector || vector->scalar || vector->numbers.empty()) return std::nullopt;
  if (call.node.get_int("noop_with_empty_axes", 0) != 0) return std::nullopt;
  ShapeNumber total = vector->numbers[0];
  for (std::size_t index = 1; index < vector->numbers.size(); ++index) {
    total = calculate(operation, total, vector->numbers[index], vector->dtype);
  }
  vector->numbers = {total};
  vector->scalar = call.node.get_int("keepdims", 1) == 0;
  return vector;
}

Result constant_of_shape(const Call& call) {
  const auto lengths = call.integers(0);
  if (!lengths || lengths->size() > 1) return std::nullopt;
  const std::int64_t length = lengths->empty() ? 1 : lengths->front();
  if (length < 0 || length > static_cast<std::int64_t>(kLongest)) return std::nullopt;
  ShapeVector fill{.numbers = {ShapeNumber::of_real(0)}, .dtype = tensor::DType::Float32};
  if (call.node.has("value")) {
    const Result value = constant_vector(call.node.get_tensor("value"));
    if (!value || value->numbers.size() != 1) return std::nullopt;
    fill = *value;
  }
  return ShapeVector{.numbers = Numbers(static_cast<std::size_t>(length), fill.numbers[0]),
                     .scalar = lengths->empty(),
                     .dtype = fill.dtype};
}

Result expand(const Call& call) {
  const auto lengths = call.integers(1);
  const ShapeVector* data = call.input(0);
  if (data == nullptr || !lengths || lengths->size() != 1 || data->numbers.size() != 1) {
    return std::nullopt;
  }
  if (lengths->front() < 1 || lengths->front() > static_cast<std::int64_t>(kLongest)) {
    return std::nullopt;
  }
  return ShapeVector{
      .numbers = Numbers(static_cast<std::size_t>(lengths->front()), data->numbers[0]),
      .dtype = data->dtype};
}

Result range(const Call& call) {
  const auto start = call.integers(0);
  const auto limit = call.integers(1);
  const auto delta = call.integers(2);
  const auto is_one = [](const auto& list) { return list && list->size() == 1; };
  if (!is_one(start) || !is_one(limit) || !is_one(delta) || delta->front() == 0) {
    return std::nullopt;
  }
  ShapeVector vector{.numbers = {}, .dtype = call.input(0)->dtype};
  const bool up = delta->at(0) > 0;
  std::int64_t value = start->at(0);
  while (up ? value < limit->at(0) : value > limit->at(0)) {
    vector.numbers.push_back(ShapeNumber::of_integer(value));
    if (vector.numbers.size() > kLongest) return std::nullopt;
    if (__builtin_add_overflow(value, delta->at(0), &value)) break;
  }
  return vector;
}

double ceiling(double value) {
  return std::ceil(value);
}
double floor(double value) {
  return std::floor(value);
}
double round_half_even(double value) {
  return std::nearbyint(value);
}

struct Rule {
  std::string_view op;
  Result (*evaluate)(const Call&);
};

constexpr std::array kRules{
    Rule{"Shape", shape},
    Rule{"Size", size},
    Rule{"Gather", gather},
    Rule{"Slice", slice},
    Rule{"Split", split},
    Rule{"Concat", concat},
    Rule{"Identity", pass_on},
    Rule{"Squeeze", reshape},
    Rule{"Unsqueeze", reshape},
    Rule{"Reshape", reshape},
    Rule{"Flatten", reshape},
    Rule{"Cast", cast},
    Rule{"Add", arithmetic<ShapeOperation::Add>},
    Rule{"Sub", arithmetic<ShapeOperation::Sub>},
    Rule{"Mul", arithmetic<ShapeOperation::Mul>},
    Rule{"Div", arithmetic<ShapeOperation::Div>},
    Rule{"Mod", arithmetic<ShapeOperation::Mod>},
    Rule{"Min", arithmetic<ShapeOperation::Min>},
    Rule{"Max", arithmetic<ShapeOperation::Max>},
    Rule{"Equal", arithmetic<ShapeOperation::Equal>},
    Rule{"Less", arithmetic<ShapeOperation::Less>},
    Rule{"Greater", arithmetic<ShapeOperation::Greater>},
    Rule{"Where", where},
    Rule{"Ceil", round_reals<ceiling>},
    Rule{"Floor", round_reals<floor>},
    Rule{"Round", round_reals<round_half_even>},
    Rule{"Neg", negate},
    Rule{"ReduceProd", reduce<ShapeOperation::Mul>},
    Rule{"ReduceSum", reduce<ShapeOperation::Add>},
    Rule{"ReduceMax", reduce<ShapeOperation::Max>},
    Rule{"ReduceMin", reduce<ShapeOperation::Min>},
    Rule{"ConstantOfShape", constant_of_shape},
    Rule{"Expand", expand},
    Rule{"Range", range},
};

/// Looks the inputs up; constants are read on first sight.
Inputs inputs_of(const ir::Node& node, ShapeValues& values) {
  Inputs inputs;
  for (const ir::Value* input : node.inputs()) {
    if (input != nullptr && input->is_initializer() && !values.contains(input)) {
      if (const Result constant = constant_vector(input->constant())) values[input] = *constant;
    }
    const auto place = values.find(input);
    inputs.push_back(place == values.end() ? nullptr : &place->second);
  }
  return inputs;
}

}  // namespace

ShapeValues evaluate_shapes(const ir::Graph& graph) {
  ShapeValues values;
  for (const ir::Node* node : graph.nodes()) {
    const auto rule = std::ranges::find(kRules, node->op(), &Rule::op);
    if (rule == kRules.end() || !node->domain().empty() || node->input(0) == nullptr) continue;
    const Inputs inputs = inputs_of(*node, values);
    for (std::size_t index = 0; index < node->outputs().size(); ++index) {
      if (node->output(index) == nullptr) continue;
      const Result vector = rule->evaluate({.node = *node, .inputs = inputs, .output = index});
      if (vector && vector->numbers.size() <= kLongest) values[node->output(index)] = *vector;
    }
  }
  return values;
}

}  // namespace espalier::passes
