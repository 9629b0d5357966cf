#pragma once

#include <string>
#include <string_view>

namespace espalier::data {

/// A piece of input for a message: quoted, control characters and bytes that are no UTF-8 shown as
/// \xNN, cut after `limit` bytes.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t limit = 120);

}  // namespace espalier::data
