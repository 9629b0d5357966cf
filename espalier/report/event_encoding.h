#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace espalier::report {

/// Writes protocol buffer fields, as much of the wire format as TensorBoard's events need.
class WireWriter {
 public:
  void varint(int field, std::uint64_t value);
  void real64(int field, double value);
  void real32(int field, float value);
  void bytes(int field, std::string_view value);
  void packed(int field, std::span<const double> values);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void key(int field, int type);
  void raw_varint(std::uint64_t value);

  std::string text_;
};

/// A record file's frame: length, checksum of the length, data, checksum of the data. The checksums
/// are CRC-32C, rotated by 15 bits plus 0xa282ead8, so that data may hold checksums of its own.
[[nodiscard]] std::string frame_record(std::string_view data);
[[nodiscard]] std::uint32_t masked_checksum(std::string_view bytes);

/// Bytes at the front of `file` that are whole, undamaged records.
[[nodiscard]] std::size_t whole_records(std::string_view file);

}  // namespace espalier::report
