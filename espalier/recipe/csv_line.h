#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace espalier::recipe {

/// Text without line feeds: "\" becomes "\\", a line feed "\n", a carriage return "\r".
[[nodiscard]] std::string escape_line(std::string_view text);
/// The reverse. Throws UserError naming `where` for an unknown escape.
[[nodiscard]] std::string unescape_line(std::string_view text, const std::string& where);

/// A cell of a CSV line: escaped as above, and in quotes (a quote doubled, RFC 4180) where it holds
/// commas, quotes or blanks at an end. So one line is always one record.
[[nodiscard]] std::string csv_field(std::string_view text);
/// The cells of a line without its line feed. Throws UserError naming `where` for quotes that do
/// not match.
[[nodiscard]] std::vector<std::string> split_csv(std::string_view line, const std::string& where);

}  // namespace espalier::recipe
