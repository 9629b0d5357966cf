#include "espalier/recipe/csv_line.h"

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::recipe {
namespace {

[[noreturn]] void damaged(std::string_view got, const std::string& expected,
                          const std::string& where) {
  throw base::UserError({.what = "cannot read the line",
                         .where = where,
                         .got = fmt::format("'{}'", got.substr(0, 60)),
                         .expected = expected});
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  return text.find_first_of(",\"") != std::string_view::npos || text.front() == ' ' ||
         text.back() == ' ' || text.front() == '#';
}

/// Takes one cell off the front of `rest`, with the comma behind it.
std::string take_cell(std::string_view& rest, std::string_view line, const std::string& where) {
  std::string cell;
  if (!rest.starts_with('"')) {
    const auto end = rest.find(',');
    cell = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
    return cell;
  }
  rest.remove_prefix(1);
  while (true) {
    const auto quote = rest.find('"');
    if (quote == std::string_view::npos) damaged(line, "a closing quote", where);
    cell += rest.substr(0, quote);
    rest.remove_prefix(quote + 1);
    if (!rest.starts_with('"')) break;
    cell += '"';
    rest.remove_prefix(1);
  }
  if (!rest.empty() && rest.front() != ',') damaged(line, "a comma behind a quote", where);
  return cell;
}

}  // namespace

std::string escape_line(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string unescape_line(std::string_view text, const std::string& where) {
  std::string result;
  for (std::size_t place = 0; place < text.size(); ++place) {
    if (text[place] != '\\') {
      result += text[place];
      continue;
    }
    const char code = ++place < text.size() ? text[place] : '\0';
    if (code != '\\' && code != 'n' && code != 'r') damaged(text, "\\\\, \\n or \\r", where);
    result += code == 'n' ? '\n' : code == 'r' ? '\r' : '\\';
  }
  return result;
}

std::string csv_field(std::string_view text) {
  const std::string plain = escape_line(text);
  if (!needs_quotes(plain)) return plain;
  std::string quoted = "\"";
  for (const char letter : plain) {
    if (letter == '"') quoted += '"';
    quoted += letter;
  }
  return quoted + '"';
}

std::vector<std::string> split_csv(std::string_view line, const std::string& where) {
  std::vector<std::string> cells;
  std::string_view rest = line;
  while (true) {
    cells.push_back(unescape_line(take_cell(rest, line, where), where));
    if (rest.empty()) return cells;
    rest.remove_prefix(1);
  }
}

}  // namespace espalier::recipe
