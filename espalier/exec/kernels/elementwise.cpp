#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/acos.h>
#include <ATen/ops/acosh.h>
#include <ATen/ops/asin.h>
#include <ATen/ops/asinh.h>
#include <ATen/ops/atan.h>
#include <ATen/ops/atanh.h>
#include <ATen/ops/bitwise_and.h>
#include <ATen/ops/bitwise_left_shift.h>
#include <ATen/ops/bitwise_not.h>
#include <ATen/ops/bitwise_or.h>
#include <ATen/ops/bitwise_right_shift.h>
#include <ATen/ops/bitwise_xor.h>
#include <ATen/ops/ceil.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/cosh.h>
#include <ATen/ops/div.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/fmod.h>
#include <ATen/ops/isinf.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/logical_xor.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/round.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/sinh.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/tan.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {
namespace {

struct UnaryRow {
  std::string_view op;
  Tensor (*apply)(const Tensor&);
};

constexpr std::array kUnary{
    UnaryRow{"Abs", at::abs},
    UnaryRow{"Acos", at::acos},
    UnaryRow{"Acosh", at::acosh},
    UnaryRow{"Asin", at::asin},
    UnaryRow{"Asinh", at::asinh},
    UnaryRow{"Atan", at::atan},
    UnaryRow{"Atanh", at::atanh},
    UnaryRow{"BitwiseNot", at::bitwise_not},
    UnaryRow{"Ceil", at::ceil},
    UnaryRow{"Cos", at::cos},
    UnaryRow{"Cosh", at::cosh},
    UnaryRow{"Erf", at::erf},
    UnaryRow{"Exp", at::exp},
    UnaryRow{"Floor", at::floor},
    UnaryRow{"IsNaN", at::isnan},
    UnaryRow{"Log", at::log},
    UnaryRow{"Neg", at::neg},
    UnaryRow{"Not", at::logical_not},
    UnaryRow{"Reciprocal", at::reciprocal},
    UnaryRow{"Round", [](const Tensor& x) { return at::round(x); }},
    UnaryRow{"Sign", at::sign},
    UnaryRow{"Sin", at::sin},
    UnaryRow{"Sinh", at::sinh},
    UnaryRow{"Sqrt", at::sqrt},
    UnaryRow{"Tan", at::tan},
};

Tensor divide(const Tensor& left, const Tensor& right) {
  const bool floating = left.is_floating_point() || right.is_floating_point();
  return floating ? at::div(left, right) : at::div(left, right, "trunc");
}

/// The result has the type of the base; integer bases with other exponents go through float64.
Tensor power(const Tensor& base, const Tensor& exponent) {
  if (base.is_floating_point()) return at::pow(base, exponent.to(base.scalar_type()));
  return at::pow(base.to(at::kDouble), exponent.to(at::kDouble)).to(base.scalar_type());
}

enum class ResultType { OfLeft, Bool };

struct BinaryRow {
  std::string_view op;
  Tensor (*apply)(const Tensor&, const Tensor&);
  ResultType result = ResultType::OfLeft;
};

constexpr std::array kBinary{
    BinaryRow{"And", at::logical_and, ResultType::Bool},
    BinaryRow{"BitwiseAnd", at::bitwise_and},
    BinaryRow{"BitwiseOr", at::bitwise_or},
    BinaryRow{"BitwiseXor", at::bitwise_xor},
    BinaryRow{"Div", divide},
    BinaryRow{"Equal", [](const Tensor& a, const Tensor& b) { return a == b; }, ResultType::Bool},
    BinaryRow{"Greater", [](const Tensor& a, const Tensor& b) { return a > b; }, ResultType::Bool},
    BinaryRow{"GreaterOrEqual", [](const Tensor& a, const Tensor& b) { return a >= b; },
              ResultType::Bool},
    BinaryRow{"Less", [](const Tensor& a, const Tensor& b) { return a < b; }, ResultType::Bool},
    BinaryRow{"LessOrEqual", [](const Tensor& a, const Tensor& b) { return a <= b; },
              ResultType::Bool},
    BinaryRow{"Mul", [](const Tensor& a, const Tensor& b) { return a * b; }},
    BinaryRow{"Or", at::logical_or, ResultType::Bool},
    BinaryRow{"Pow", power},
    BinaryRow{"Sub", [](const Tensor& a, const Tensor& b) { return a - b; }},
    BinaryRow{"Xor", at::logical_xor, ResultType::Bool},
};

template <typename Table>
auto find_row(const Table& table, std::string_view op) {
  return std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.op == op; });
}

Tensor sum_of(std::span<Tensor> inputs) {
  Tensor sum = inputs[0];
  for (const Tensor& input : inputs.subspan(1)) sum = sum + input;
  return sum;
}

Tensor fold_of(std::span<Tensor> inputs, Tensor (*combine)(const Tensor&, const Tensor&)) {
  Tensor result = widen(inputs[0]);
  for (const Tensor& input : inputs.subspan(1)) result = combine(result, widen(input));
  return result.to(inputs[0].scalar_type());
}

}  // namespace

Kernel make_unary(const KernelRequest& request) {
  return [apply = find_row(kUnary, request.node.op())->apply](Call& call) {
    const Tensor& input = call.inputs[0];
    const bool wide = c10::isBarebonesUnsignedType(input.scalar_type());
    call.outputs[0] = wide ? apply(widen(input)).to(input.scalar_type()) : apply(input);
  };
}

Kernel make_binary(const KernelRequest& request) {
  const auto row = find_row(kBinary, request.node.op());
  return [apply = row->apply, result = row->result](Call& call) {
    const at::ScalarType type = call.inputs[0].scalar_type();
    Tensor output = apply(widen(call.inputs[0]), widen(call.inputs[1]));
    call.outputs[0] = result == ResultType::OfLeft ? output.to(type) : output;
  };
}

Kernel make_add(const KernelRequest&) {
  return [](Call& call) {
    const Tensor right = std::move(call.inputs[1]);
    Tensor left = std::move(call.inputs[0]);
    const at::ScalarType type = left.scalar_type();
    const bool alike = left.sizes() == right.sizes() && type == right.scalar_type();
    // Addition needs neither operand for its gradient, so that one may go in training too.
    if (alike && left.is_floating_point() && may_overwrite(left)) {
      call.outputs[0] = left.add_(right);
    } else {
      call.outputs[0] = (widen(left) + widen(right)).to(type);
    }
  };
}

Kernel make_variadic(const KernelRequest& request) {
  const ir::Node& node = request.node;
  if (node.is("Sum")) {
    return [](Call& call) { call.outputs[0] = sum_of(call.inputs); };
  }
  if (node.is("Mean")) {
    return [](Call& call) {
      call.outputs[0] = sum_of(call.inputs) / static_cast<double>(call.inputs.size());
    };
  }
  return [combine = node.is("Max") ? at::maximum : at::minimum](Call& call) {
    call.outputs[0] = fold_of(call.inputs, combine);
  };
}

Kernel make_mod(const KernelRequest& request) {
  const bool like_c = request.node.get_int("fmod", 0) != 0;
  return [like_c](Call& call) {
    const Tensor left = widen(call.inputs[0]);
    const Tensor right = widen(call.inputs[1]);
    const Tensor result = like_c ? at::fmod(left, right) : at::remainder(left, right);
    call.outputs[0] = result.to(call.inputs[0].scalar_type());
  };
}

Kernel make_bit_shift(const KernelRequest& request) {
  const std::string direction = request.node.get_string("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    throw std::invalid_argument("direction must be LEFT or RIGHT");
  }
  return [left = direction == "LEFT"](Call& call) {
    const Tensor value = call.inputs[0].to(at::kLong);
    const Tensor count = call.inputs[1].to(at::kLong);
    const Tensor result =
        left ? at::bitwise_left_shift(value, count) : at::bitwise_right_shift(value, count);
    call.outputs[0] = result.to(call.inputs[0].scalar_type());
  };
}

Kernel make_is_inf(const KernelRequest& request) {
  const bool positive = request.node.get_int("detect_positive", 1) != 0;
  const bool negative = request.node.get_int("detect_negative", 1) != 0;
  return [positive, negative](Call& call) {
    const Tensor& input = call.inputs[0];
    if (positive && negative) {
      call.outputs[0] = at::isinf(input);
    } else {
      const double infinity = std::numeric_limits<double>::infinity();
      const Tensor infinite = at::isinf(input);
      const Tensor side = positive ? input == infinity : input == -infinity;
      call.outputs[0] = at::logical_and(infinite, positive || negative ? side : input != input);
    }
  };
}

}  // namespace espalier::exec
