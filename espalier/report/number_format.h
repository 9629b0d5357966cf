#pragma once

#include <string>
#include <string_view>

namespace espalier::report {

/// Columns of a terminal that a UTF-8 text takes: two for wide East Asian characters, none for
/// combining marks. Bytes that are no UTF-8 count one each.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// @name Numbers as people read them. NaN is "-".
/// @{
[[nodiscard]] std::string format_bytes(double bytes);         ///< "1.23 MB" (10^6)
[[nodiscard]] std::string format_count(double count);         ///< "12.4 M"
[[nodiscard]] std::string format_percent(double share);       ///< 0.9834 -> "98.34 %"
[[nodiscard]] std::string format_milliseconds(double value);  ///< "3.21 ms", "850 us"
[[nodiscard]] std::string format_duration(double seconds);  ///< "4.2 s", "3 min 07 s", "1 h 02 min"
/// @}

}  // namespace espalier::report
