#pragma once

#include <string>
#include <string_view>
#include <vector>

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

/// Columns of a terminal that a UTF-8 text takes (code points; wide and combining ones counted).
[[nodiscard]] std::size_t display_width(std::string_view text);

/// @name Numbers as people read them
/// @{
[[nodiscard]] std::string format_bytes(double bytes);         ///< "1.23 MB" (10^6)
[[nodiscard]] std::string format_count(double count);         ///< "12.4 M"
[[nodiscard]] std::string format_percent(double share);       ///< 0.9834 -> "98.34 %"
[[nodiscard]] std::string format_milliseconds(double value);  ///< "3.21 ms", "850 us"
[[nodiscard]] std::string format_duration(double seconds);  ///< "4.2 s", "3 min 07 s", "1 h 02 min"
/// @}

}  // namespace espalier::report
