#include "espalier/data/image_header.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::data {
namespace {

using namespace std::string_view_literals;

/// Reads numbers at byte positions; positions behind the end give 0.
class Bytes {
 public:
  explicit Bytes(std::string_view text) : text_(text) {}

  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] std::int64_t at(std::size_t place) const {
    return place < text_.size() ? static_cast<std::uint8_t>(text_[place]) : 0;
  }
  [[nodiscard]] std::int64_t big16(std::size_t place) const {
    return at(place) << 8 | at(place + 1);
  }
  [[nodiscard]] std::int64_t big32(std::size_t place) const {
    return big16(place) << 16 | big16(place + 2);
  }
  [[nodiscard]] std::int64_t little16(std::size_t place) const {
    return at(place) | at(place + 1) << 8;
  }
  [[nodiscard]] std::int64_t little24(std::size_t place) const {
    return little16(place) | at(place + 2) << 16;
  }
  [[nodiscard]] std::int64_t little32(std::size_t place) const {
    return little16(place) | little16(place + 2) << 16;
  }
  [[nodiscard]] bool has(std::size_t place, std::string_view word) const {
    return place <= text_.size() && text_.substr(place, word.size()) == word;
  }
  /// First 0xFF at `place` or later; size() when there is none.
  [[nodiscard]] std::size_t find_marker(std::size_t place) const {
    const std::size_t found = text_.find('\xFF', place);
    return found == std::string_view::npos ? text_.size() : found;
  }

 private:
  std::string_view text_;
};

[[noreturn]] void fail_truncated(const Bytes& bytes, std::string_view format) {
  throw base::UserError(
      {.what = "the image file is cut off",
       .got = fmt::format("{} bytes without the end of the {} data", bytes.size(), format),
       .hint = "copy or download it again"});
}

/// Walks the segments of a JPEG file to its end marker. Decoders paint what is missing grey.
ImageHeader walk_jpeg(const Bytes& bytes) {
  constexpr std::int64_t kEnd = 0xD9;
  constexpr std::int64_t kScan = 0xDA;
  ImageHeader header{.format = ImageFormat::Jpeg};
  std::size_t place = 2;
  while (true) {
    place = bytes.find_marker(place);
    while (place < bytes.size() && bytes.at(place) == 0xFF) ++place;
    if (place >= bytes.size()) fail_truncated(bytes, "JPEG");
    const std::int64_t marker = bytes.at(place++);
    // 0x00 is a stuffed byte of the scan, 0x01 and 0xD0-0xD8 stand alone.
    if (marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;
    if (marker == kEnd) return header;
    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame && header.width == 0) {
      header.height = bytes.big16(place + 3);
      header.width = bytes.big16(place + 5);
    }
    place += static_cast<std::size_t>(bytes.big16(place));
    if (marker == kScan && place >= bytes.size()) fail_truncated(bytes, "JPEG");
  }
}

/// Walks the chunks of a PNG file to IEND.
ImageHeader walk_png(const Bytes& bytes) {
  std::size_t place = 8;
  while (place + 12 <= bytes.size()) {
    if (bytes.has(place + 4, "IEND")) {
      return {.format = ImageFormat::Png, .width = bytes.big32(16), .height = bytes.big32(20)};
    }
    place += 12 + static_cast<std::size_t>(bytes.big32(place));
  }
  fail_truncated(bytes, "PNG");
}

ImageHeader read_bmp(const Bytes& bytes) {
  const bool core_header = bytes.little32(14) == 12;
  const auto extent = [](std::int64_t value) {
    const std::int64_t with_sign =
        value >= std::int64_t{1} << 31 ? value - (std::int64_t{1} << 32) : value;
    return with_sign < 0 ? -with_sign : with_sign;  // a negative height means top row first
  };
  return {.format = ImageFormat::Bmp,
          .width = core_header ? bytes.little16(18) : extent(bytes.little32(18)),
          .height = core_header ? bytes.little16(20) : extent(bytes.little32(22))};
}

ImageHeader read_webp(const Bytes& bytes) {
  ImageHeader header{.format = ImageFormat::Webp};
  if (bytes.has(12, "VP8X")) {
    header.width = bytes.little24(24) + 1;
    header.height = bytes.little24(27) + 1;
  } else if (bytes.has(12, "VP8L")) {
    header.width = (bytes.little32(21) & 0x3FFF) + 1;
    header.height = (bytes.little32(21) >> 14 & 0x3FFF) + 1;
  } else {
    header.width = bytes.little16(26) & 0x3FFF;
    header.height = bytes.little16(28) & 0x3FFF;
  }
  return header;
}

bool is_netpbm(const Bytes& bytes) {
  return bytes.at(0) == 'P' && bytes.at(1) >= '1' && bytes.at(1) <= '6' &&
         (bytes.at(2) == ' ' || (bytes.at(2) >= '\t' && bytes.at(2) <= '\r') || bytes.at(2) == '#');
}

/// "P6 # comment\n640 480 255": two numbers behind the magic, between blanks and comments.
ImageHeader read_netpbm(const Bytes& bytes) {
  std::size_t place = 2;
  const auto next_number = [&]() -> std::int64_t {
    const auto is_blank = [](std::int64_t byte) {
      return byte == ' ' || (byte >= '\t' && byte <= '\r');
    };
    while (is_blank(bytes.at(place)) || bytes.at(place) == '#') {
      if (bytes.at(place) == '#') {
        while (place < bytes.size() && bytes.at(place) != '\n') ++place;
      }
      ++place;
    }
    std::int64_t number = 0;
    for (; bytes.at(place) >= '0' && bytes.at(place) <= '9'; ++place) {
      number = std::min(number * 10 + (bytes.at(place) - '0'), kMaximumPixels + 1);
    }
    return number;
  };
  ImageHeader header{.format = ImageFormat::Netpbm};
  header.width = next_number();
  header.height = next_number();
  return header;
}

/// Width and height of the first directory (tags 256 and 257, of 16 or 32 bits); 0 where they are
/// missing.
ImageHeader read_tiff(const Bytes& bytes) {
  const bool little = bytes.at(0) == 'I';
  const auto read16 = [&](std::size_t place) {
    return little ? bytes.little16(place) : bytes.big16(place);
  };
  const auto read32 = [&](std::size_t place) {
    return little ? bytes.little32(place) : bytes.big32(place);
  };
  constexpr std::int64_t kShort = 3;
  constexpr std::size_t kEntry = 12;
  ImageHeader header{.format = ImageFormat::Tiff};
  const auto directory = static_cast<std::size_t>(read32(4));
  const auto count = static_cast<std::size_t>(read16(directory));
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t entry = directory + 2 + index * kEntry;
    const std::int64_t value = read16(entry + 2) == kShort ? read16(entry + 8) : read32(entry + 8);
    if (read16(entry) == 256) header.width = value;
    if (read16(entry) == 257) header.height = value;
  }
  return header;
}

std::optional<ImageHeader> recognize(const Bytes& bytes) {
  if (bytes.has(0, "\xFF\xD8\xFF"sv)) return walk_jpeg(bytes);
  if (bytes.has(0, "\x89PNG\r\n\x1A\n"sv)) return walk_png(bytes);
  if (bytes.has(0, "BM")) return read_bmp(bytes);
  if (bytes.has(0, "RIFF") && bytes.has(8, "WEBP")) return read_webp(bytes);
  if (bytes.has(0, "II*\0"sv) || bytes.has(0, "MM\0*"sv)) {
    return read_tiff(bytes);
  }
  if (is_netpbm(bytes)) return read_netpbm(bytes);
  return std::nullopt;
}

}  // namespace

ImageHeader check_image_header(std::string_view bytes) {
  const std::optional<ImageHeader> header = recognize(Bytes(bytes));
  if (!header) {
    throw base::UserError({.what = "the file is no image",
                           .got = bytes.empty() ? "an empty file" : "unknown content",
                           .expected = "JPEG, PNG, BMP, WebP, TIFF or Netpbm"});
  }
  if (header->width < 1 || header->height < 1 || header->width > kMaximumPixels / header->height) {
    throw base::UserError(
        {.what = "the image has an impossible size",
         .got = fmt::format("{} x {}", header->width, header->height),
         .expected = fmt::format("at least 1 x 1 and at most {} pixels", kMaximumPixels)});
  }
  return *header;
}

}  // namespace espalier::data
