#pragma once

#include <string>

namespace espalier::report {

/// @name Parts of every page, embedded when the program is built.
/// @{
[[nodiscard]] std::string page_style();     ///< page/report.css
[[nodiscard]] std::string page_script();    ///< page/report.js
[[nodiscard]] std::string chart_library();  ///< Chart.js with its licence notice
/// @}

}  // namespace espalier::report
