#include "espalier/base/checksum.h"

#include <string>

#include <gtest/gtest.h>

namespace espalier::base {
namespace {

TEST(Crc32c, GivesThePublishedCheckValues) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string ascending;
  for (int byte = 0; byte < 32; ++byte) ascending.push_back(static_cast<char>(byte));
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
}

TEST(Crc32c, GoesOnFromASeed) {
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

TEST(Crc32c, SeesEverySingleBit) {
  const std::string text = "espalier";
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(crc32c(changed), crc32c(text)) << "bit " << bit;
  }
}

// Expected values: the Python package xxhash.
TEST(ContentId, IsXxh3In16Digits) {
  EXPECT_EQ(content_id(""), "2d06800538d394c2");
  EXPECT_EQ(content_id("a"), "e6c632b61e964e1f");
  EXPECT_EQ(content_id("foobar"), "d78fda63144c5c84");
  std::string bytes;
  for (int index = 0; index < 5 * 256; ++index) bytes.push_back(static_cast<char>(index % 256));
  EXPECT_EQ(content_id(bytes), "4844b009e164352e");
}

}  // namespace
}  // namespace espalier::base
