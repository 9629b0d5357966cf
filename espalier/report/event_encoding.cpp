#include "espalier/report/event_encoding.h"

#include <bit>

#include "espalier/base/checksum.h"

namespace espalier::report {
namespace {

constexpr std::size_t kHead = 12;  ///< length and its checksum
constexpr std::size_t kTail = 4;

template <typename T>
void append_little_endian(std::string& text, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::uint64_t read_little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[i - 1]);
  }
  return value;
}

}  // namespace

void WireWriter::raw_varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
  text_ += static_cast<char>(value);
}

void WireWriter::key(int field, int type) {
  raw_varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type));
}

void WireWriter::varint(int field, std::uint64_t value) {
  key(field, 0);
  raw_varint(value);
}

void WireWriter::real64(int field, double value) {
  key(field, 1);
  append_little_endian(text_, std::bit_cast<std::uint64_t>(value));
}

void WireWriter::real32(int field, float value) {
  key(field, 5);
  append_little_endian(text_, std::bit_cast<std::uint32_t>(value));
}

void WireWriter::bytes(int field, std::string_view value) {
  key(field, 2);
  raw_varint(value.size());
  text_ += value;
}

void WireWriter::packed(int field, std::span<const double> values) {
  key(field, 2);
  raw_varint(values.size() * sizeof(double));
  for (const double value : values)
    append_little_endian(text_, std::bit_cast<std::uint64_t>(value));
}

std::uint32_t masked_checksum(std::string_view bytes) {
  const std::uint32_t checksum = base::crc32c(bytes);
  return std::rotr(checksum, 15) + 0xA282EAD8U;
}

std::string frame_record(std::string_view data) {
  std::string record;
  append_little_endian(record, std::uint64_t{data.size()});
  append_little_endian(record, masked_checksum(record));
  record += data;
  append_little_endian(record, masked_checksum(data));
  return record;
}

std::size_t whole_records(std::string_view file) {
  std::size_t place = 0;
  while (file.size() - place >= kHead + kTail) {
    const std::string_view rest = file.substr(place);
    const std::uint64_t length = read_little_endian(rest.substr(0, 8));
    if (read_little_endian(rest.substr(8, 4)) != masked_checksum(rest.substr(0, 8))) break;
    if (length > rest.size() - kHead - kTail) break;
    const std::string_view data = rest.substr(kHead, length);
    if (read_little_endian(rest.substr(kHead + length, kTail)) != masked_checksum(data)) break;
    place += kHead + length + kTail;
  }
  return place;
}

}  // namespace espalier::report
