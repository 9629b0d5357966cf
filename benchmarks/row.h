#pragma once

#include <span>
#include <string>
#include <vector>

namespace espalier::benchmarks {

enum class Bound { AtMost, AtLeast };

/// One line of the table: a ratio measured inside one run, and what it should be.
struct Row {
  std::string name;
  double value = 0;
  double target = 0;
  Bound bound = Bound::AtMost;
  std::string detail = {};   ///< what the ratio was made of
  std::string failure = {};  ///< why there is no value; empty: there is one

  [[nodiscard]] bool passed() const {
    return failure.empty() && (bound == Bound::AtMost ? value <= target : value >= target);
  }
};

/// A table for the terminal.
[[nodiscard]] std::string to_table(std::span<const Row> rows);
/// A list of {"name", "value", "target", "pass", "detail"}; value null where there is none.
[[nodiscard]] std::string to_json(std::span<const Row> rows);

}  // namespace espalier::benchmarks
