#include "espalier/passes/shape_number.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>

namespace espalier::passes {
namespace {

using Kind = ShapeNumber::Kind;

/// Expressions longer than this are not followed any further.
constexpr std::size_t kLongestSymbol = 200;

std::string_view sign_of(ShapeOperation operation) {
  switch (operation) {
    case ShapeOperation::Add:
      return "+";
    case ShapeOperation::Sub:
      return "-";
    case ShapeOperation::Mul:
      return "*";
    case ShapeOperation::Div:
      return "/";
    case ShapeOperation::Mod:
      return "%";
    case ShapeOperation::Min:
      return "min";
    case ShapeOperation::Max:
      return "max";
    case ShapeOperation::Equal:
      return "==";
    case ShapeOperation::Less:
      return "<";
    case ShapeOperation::Greater:
      return ">";
  }
  return "?";
}

std::optional<std::int64_t> calculate_integers(ShapeOperation operation, std::int64_t left,
                                               std::int64_t right) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  const bool undefined = right == 0 || (left == kLowest && right == -1);
  std::int64_t result = 0;
  switch (operation) {
    case ShapeOperation::Add:
      if (__builtin_add_overflow(left, right, &result)) return std::nullopt;
      return result;
    case ShapeOperation::Sub:
      if (__builtin_sub_overflow(left, right, &result)) return std::nullopt;
      return result;
    case ShapeOperation::Mul:
      if (__builtin_mul_overflow(left, right, &result)) return std::nullopt;
      return result;
    case ShapeOperation::Div:
      return undefined ? std::nullopt : std::optional(left / right);
    case ShapeOperation::Mod:
      if (undefined) return std::nullopt;
      result = left % right;
      return result != 0 && (result < 0) != (right < 0) ? result + right : result;
    case ShapeOperation::Min:
      return std::min(left, right);
    case ShapeOperation::Max:
      return std::max(left, right);
    case ShapeOperation::Equal:
      return left == right ? 1 : 0;
    case ShapeOperation::Less:
      return left < right ? 1 : 0;
    case ShapeOperation::Greater:
      return left > right ? 1 : 0;
  }
  return std::nullopt;
}

ShapeNumber calculate_reals(ShapeOperation operation, double left, double right,
                            tensor::DType dtype) {
  const auto rounded = [dtype](double value) {
    const bool is_double = dtype == tensor::DType::Float64;
    return ShapeNumber::of_real(is_double ? value : static_cast<double>(static_cast<float>(value)));
  };
  switch (operation) {
    case ShapeOperation::Add:
      return rounded(left + right);
    case ShapeOperation::Sub:
      return rounded(left - right);
    case ShapeOperation::Mul:
      return rounded(left * right);
    case ShapeOperation::Div:
      return right == 0 ? ShapeNumber{} : rounded(left / right);
    case ShapeOperation::Mod:
      return {};
    case ShapeOperation::Min:
      return rounded(std::min(left, right));
    case ShapeOperation::Max:
      return rounded(std::max(left, right));
    case ShapeOperation::Equal:
      return ShapeNumber::of_integer(left == right ? 1 : 0);
    case ShapeOperation::Less:
      return ShapeNumber::of_integer(left < right ? 1 : 0);
    case ShapeOperation::Greater:
      return ShapeNumber::of_integer(left > right ? 1 : 0);
  }
  return {};
}

ShapeNumber linear(std::optional<std::int64_t> coefficient, std::string symbol,
                   std::optional<std::int64_t> offset) {
  if (!coefficient || !offset) return {};
  if (*coefficient == 0) return ShapeNumber::of_integer(*offset);
  ShapeNumber number = ShapeNumber::of_symbol(std::move(symbol));
  number.coefficient = *coefficient;
  number.integer = *offset;
  return number;
}

/// An expression that is no linear form, as a symbol of its own.
ShapeNumber expression(ShapeOperation operation, const ShapeNumber& left,
                       const ShapeNumber& right) {
  const bool commutes = operation == ShapeOperation::Add || operation == ShapeOperation::Mul ||
                        operation == ShapeOperation::Min || operation == ShapeOperation::Max;
  std::string first = left.text();
  std::string second = right.text();
  if (commutes && second < first) std::swap(first, second);
  std::string symbol = fmt::format("({} {} {})", first, sign_of(operation), second);
  return symbol.size() > kLongestSymbol ? ShapeNumber{} : ShapeNumber::of_symbol(symbol);
}

/// Sum or difference of two numbers of which at least one is linear.
ShapeNumber add_linear(ShapeOperation operation, const ShapeNumber& left,
                       const ShapeNumber& right) {
  const bool same = left.symbol == right.symbol;
  if (!same && !left.symbol.empty() && !right.symbol.empty()) {
    return expression(operation, left, right);
  }
  return linear(calculate_integers(operation, left.coefficient, right.coefficient),
                left.symbol.empty() ? right.symbol : left.symbol,
                calculate_integers(operation, left.integer, right.integer));
}

ShapeNumber calculate_linear(ShapeOperation operation, const ShapeNumber& left,
                             const ShapeNumber& right) {
  const bool right_constant = right.kind == Kind::Integer;
  switch (operation) {
    case ShapeOperation::Add:
    case ShapeOperation::Sub:
      return add_linear(operation, left, right);
    case ShapeOperation::Mul: {
      if (!right_constant && left.kind != Kind::Integer) break;
      const ShapeNumber& form = right_constant ? left : right;
      const std::int64_t factor = right_constant ? right.integer : left.integer;
      return linear(calculate_integers(operation, form.coefficient, factor), form.symbol,
                    calculate_integers(operation, form.integer, factor));
    }
    case ShapeOperation::Div:
      if (!right_constant || right.integer <= 0) break;
      if (left.coefficient % right.integer != 0 || left.integer % right.integer != 0) break;
      return linear(left.coefficient / right.integer, left.symbol, left.integer / right.integer);
    case ShapeOperation::Min:
    case ShapeOperation::Max:
      if (left == right) return left;
      break;
    case ShapeOperation::Equal:
      if (left == right) return ShapeNumber::of_integer(1);
      // A size is never negative: it cannot equal the -1 of "infer this dimension".
      if (right_constant && right.integer < 0 && left.coefficient > 0 && left.integer >= 0) {
        return ShapeNumber::of_integer(0);
      }
      return {};
    case ShapeOperation::Less:
    case ShapeOperation::Greater:
      return {};
    case ShapeOperation::Mod:
      break;
  }
  return expression(operation, left, right);
}

}  // namespace

ShapeNumber ShapeNumber::of_integer(std::int64_t value) {
  ShapeNumber number;
  number.kind = Kind::Integer;
  number.integer = value;
  return number;
}

ShapeNumber ShapeNumber::of_real(double value) {
  ShapeNumber number;
  number.kind = Kind::Real;
  number.real = value;
  return number;
}

ShapeNumber ShapeNumber::of_symbol(std::string symbol) {
  ShapeNumber number;
  number.kind = Kind::Linear;
  number.coefficient = 1;
  number.symbol = std::move(symbol);
  return number;
}

double ShapeNumber::as_real() const {
  return kind == Kind::Real ? real : static_cast<double>(integer);
}

std::string ShapeNumber::text() const {
  switch (kind) {
    case Kind::Unknown:
      return "?";
    case Kind::Integer:
      return fmt::to_string(integer);
    case Kind::Real:
      return fmt::to_string(real);
    case Kind::Linear:
      break;
  }
  const std::string product = coefficient == 1 ? symbol : fmt::format("{}*{}", coefficient, symbol);
  return integer == 0 ? product : fmt::format("{}{:+}", product, integer);
}

bool ShapeVector::is_constant() const {
  return std::ranges::all_of(numbers, &ShapeNumber::is_constant);
}

std::optional<std::vector<std::int64_t>> ShapeVector::integers() const {
  std::vector<std::int64_t> list;
  for (const ShapeNumber& number : numbers) {
    if (number.kind != Kind::Integer) return std::nullopt;
    list.push_back(number.integer);
  }
  return list;
}

ShapeNumber number_of_dim(const tensor::Dim& dim, const std::string& value_name, std::size_t axis) {
  if (dim.known()) return ShapeNumber::of_integer(*dim.size);
  if (!dim.symbol.empty()) return ShapeNumber::of_symbol(dim.symbol);
  return ShapeNumber::of_symbol(fmt::format("{}[{}]", value_name, axis));
}

ShapeNumber calculate(ShapeOperation operation, const ShapeNumber& left, const ShapeNumber& right,
                      tensor::DType dtype) {
  if (left.kind == Kind::Unknown || right.kind == Kind::Unknown) return {};
  if (left.kind == Kind::Real || right.kind == Kind::Real) {
    if (!left.is_constant() || !right.is_constant()) return {};
    return calculate_reals(operation, left.as_real(), right.as_real(), dtype);
  }
  if (left.kind == Kind::Linear || right.kind == Kind::Linear) {
    return calculate_linear(operation, left, right);
  }
  const auto result = calculate_integers(operation, left.integer, right.integer);
  return result ? ShapeNumber::of_integer(*result) : ShapeNumber{};
}

}  // namespace espalier::passes
