#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "espalier/tensor/dtype.h"
#include "espalier/tensor/shape.h"

namespace espalier::passes {

/// One number of shape arithmetic as far as it is known before the graph runs.
struct ShapeNumber {
  enum class Kind {
    Unknown,
    Integer,  ///< `integer`; booleans are 0 and 1
    Real,     ///< `real`
    Linear    ///< coefficient * symbol + integer, for integers that depend on one unknown size
  };
  Kind kind = Kind::Unknown;
  std::int64_t integer = 0;
  double real = 0;
  std::int64_t coefficient = 0;
  std::string symbol = {};

  [[nodiscard]] static ShapeNumber of_integer(std::int64_t value);
  [[nodiscard]] static ShapeNumber of_real(double value);
  [[nodiscard]] static ShapeNumber of_symbol(std::string symbol);

  [[nodiscard]] bool is_constant() const { return kind == Kind::Integer || kind == Kind::Real; }
  /// Integer or Real as a double.
  [[nodiscard]] double as_real() const;
  /// "7", "2.5", "2*N+1", "?": also the name that an expression of it is known by.
  [[nodiscard]] std::string text() const;
  bool operator==(const ShapeNumber&) const = default;
};

/// A scalar or vector of such numbers.
struct ShapeVector {
  std::vector<ShapeNumber> numbers;
  bool scalar = false;
  tensor::DType dtype = tensor::DType::Int64;

  [[nodiscard]] bool is_constant() const;
  /// The integers when all are known integers.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers() const;
};

/// The size of one dimension: an integer, its symbol, or a symbol made of the value's name and the
/// axis.
[[nodiscard]] ShapeNumber number_of_dim(const tensor::Dim& dim, const std::string& value_name,
                                        std::size_t axis);

/// Arithmetic as the operators of ONNX do it: integer division truncates, float32 rounds after each
/// operation. What cannot be known is Unknown; integer expressions of sizes get a symbol of their
/// own, so that equal expressions stay recognizable.
enum class ShapeOperation { Add, Sub, Mul, Div, Mod, Min, Max, Equal, Less, Greater };
[[nodiscard]] ShapeNumber calculate(ShapeOperation operation, const ShapeNumber& left,
                                    const ShapeNumber& right, tensor::DType dtype);

}  // namespace espalier::passes
