#include "espalier/report/table.h"

#include <algorithm>
#include <utility>

#include "espalier/base/check.h"
#include "espalier/report/number_format.h"

namespace espalier::report {
namespace {

constexpr std::string_view kGap = "  ";

void append_cell(std::string& line, std::string_view text, std::size_t width, Align align) {
  const std::string blanks(width - std::min(width, display_width(text)), ' ');
  if (align == Align::Right) line += blanks;
  line += text;
  if (align == Align::Left) line += blanks;
}

void end_line(std::string& text, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  text += line + "\n";
}

}  // namespace

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add_row(std::vector<std::string> cells) {
  base::invariant(cells.size() == columns_.size(), "{} cells in a table of {} columns",
                  cells.size(), columns_.size());
  rows_.push_back(std::move(cells));
}

void TextTable::add_rule() {
  rows_.emplace_back();
}

std::string TextTable::render() const {
  std::vector<std::size_t> widths;
  std::size_t total = columns_.empty() ? 0 : kGap.size() * (columns_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) {
      if (!row.empty()) width = std::max(width, display_width(row[i]));
    }
    widths.push_back(width);
    total += width;
  }
  const auto render_row = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line += kGap;
      append_cell(line, cell_of(i), widths[i], columns_[i].align);
    }
    return line;
  };
  const std::string rule(total, '-');
  std::string text;
  end_line(text,
           render_row([&](std::size_t i) -> const std::string& { return columns_[i].title; }));
  end_line(text, rule);
  for (const auto& row : rows_) {
    end_line(text, row.empty() ? rule : render_row([&](std::size_t i) -> const std::string& {
               return row[i];
             }));
  }
  return text;
}

}  // namespace espalier::report
