#pragma once

#include <string>
#include <vector>

#include "espalier/report/number_format.h"

namespace espalier::report {

enum class Align { Left, Right };

/// A table of plain text for the terminal: columns aligned, two blanks between them.
class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::Right;
  };

  explicit TextTable(std::vector<Column> columns);

  /// One cell a column; InternalError otherwise.
  void add_row(std::vector<std::string> cells);
  /// A line across the table.
  void add_rule();
  [[nodiscard]] std::size_t num_rows() const { return rows_.size(); }
  /// Title row, rule, rows; every line ends with a line feed and has no trailing blanks.
  [[nodiscard]] std::string render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  ///< an empty row is a rule
};

}  // namespace espalier::report
