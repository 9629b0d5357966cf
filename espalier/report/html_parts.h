#pragma once

#include <string>
#include <string_view>

#include "espalier/report/html.h"

namespace espalier::report {

/// Text as HTML: & < > " ' escaped, control characters and bytes that are no UTF-8 replaced.
[[nodiscard]] std::string escape_html(std::string_view text);

/// The CSS class of a tone: "good", "warning", "bad" or "".
[[nodiscard]] std::string_view tone_class(Tone tone);

/// A figure with its data as JSON; report.js draws it.
[[nodiscard]] std::string render_chart(const BarChart& chart);
[[nodiscard]] std::string render_chart(const LineChart& chart);

/// A table with its rows; report.js sorts and filters it.
[[nodiscard]] std::string render_table(const DataTable& table);

/// A number with digits after the point and groups of three; tiny ones as 1.20e-05.
[[nodiscard]] std::string format_cell(double value, int digits);

}  // namespace espalier::report
