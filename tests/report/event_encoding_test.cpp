#include "espalier/report/event_encoding.h"

#include <gtest/gtest.h>

namespace espalier::report {
namespace {

using namespace std::string_view_literals;

TEST(MaskedChecksum, AgreesWithKnownValues) {
  // CRC-32C of RFC 3720 B.4, rotated by 15 and moved by 0xa282ead8 by hand.
  const auto mask = [](std::uint64_t crc) {
    return static_cast<std::uint32_t>((crc >> 15 | crc << 17) + 0xA282EAD8U);
  };
  EXPECT_EQ(masked_checksum(std::string(32, '\0')), mask(0x8A9136AAU));
  EXPECT_EQ(masked_checksum(std::string(32, '\xff')), mask(0x62A8AB43U));
  EXPECT_EQ(masked_checksum("123456789"), mask(0xE3069283U));
  // The record file that TensorFlow writes for one empty record begins with this length checksum.
  EXPECT_EQ(masked_checksum("\0\0\0\0\0\0\0\0"sv), 0x07980329U);
}

TEST(FrameRecord, AgreesWithTensorBoard) {
  // RecordWriter of the Python package tensorboard 2.21.0, record b"espalier".
  EXPECT_EQ(frame_record("espalier"),
            "\x08\x00\x00\x00\x00\x00\x00\x00\xff\x86\x24\x0f"
            "espalier"
            "\xb0\x7b\x92\xc8"sv);
}

TEST(WholeRecords, StopsAtTheFirstDamage) {
  const std::string first = frame_record("one");
  const std::string second = frame_record(std::string(300, 'x'));
  const std::string file = first + second;
  EXPECT_EQ(whole_records(""), 0U);
  EXPECT_EQ(whole_records(file), file.size());
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(whole_records(std::string_view(file).substr(0, size)),
              size < first.size() ? 0 : first.size());
  }
  for (std::size_t place = first.size(); place < file.size(); ++place) {
    std::string damaged = file;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
    EXPECT_EQ(whole_records(damaged), first.size());
  }
}

TEST(WireWriter, WritesFields) {
  WireWriter writer;
  writer.varint(1, 300);
  writer.varint(2, 0xFFFFFFFFFFFFFFFFU);
  writer.real64(3, 1.0);
  writer.real32(4, -2.0F);
  writer.bytes(5, "ab");
  const double values[] = {1.0};
  writer.packed(16, values);
  // By hand from the encoding's description.
  EXPECT_EQ(writer.text(),
            "\x08\xac\x02"
            "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
            "\x19\0\0\0\0\0\0\xf0\x3f"
            "\x25\0\0\0\xc0"
            "\x2a\x02"
            "ab"
            "\x82\x01\x08\0\0\0\0\0\0\xf0\x3f"sv);
}

}  // namespace
}  // namespace espalier::report
