#pragma once

#include <cstdint>
#include <string_view>

namespace espalier::data {

/// File formats that are decoded.
enum class ImageFormat { Jpeg, Png, Bmp, Netpbm, Webp, Tiff };

/// What the first bytes of an image file say.
struct ImageHeader {
  ImageFormat format = ImageFormat::Jpeg;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// Pixels above which a picture is refused: a small file can claim any size.
inline constexpr std::int64_t kMaximumPixels = 178'956'970;
/// Bytes above which the file of a picture is refused.
inline constexpr std::uint64_t kMaximumFileBytes = std::uint64_t{1} << 30;

/// Recognizes the format by content and checks what decoders pass over in silence: a JPEG or PNG
/// that ends too early, a size that is zero or above kMaximumPixels. Throws UserError.
[[nodiscard]] ImageHeader check_image_header(std::string_view bytes);

}  // namespace espalier::data
