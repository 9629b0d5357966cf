#include "espalier/train/container.h"

#include <gtest/gtest.h>

#include "espalier/base/checksum.h"
#include "tests/kit/expect_error.h"

namespace espalier::train {
namespace {

using kit::expect_user_error;

const std::vector<Section> kSections = {{.name = "graph", .bytes = "abc"},
                                        {.name = "sixteen_letters_", .bytes = ""},
                                        {.name = "state", .bytes = "12345678"}};

std::string put_u32(std::string bytes, std::size_t place, std::uint32_t number) {
  for (std::size_t index = 0; index < 4; ++index) {
    bytes[place + index] = static_cast<char>(number >> (8 * index));
  }
  return bytes;
}

/// The header's checksum made right again after a change.
std::string reseal(std::string bytes, std::size_t count) {
  const std::size_t end = 24 + 40 * count;
  return put_u32(bytes, end, base::crc32c(bytes.substr(0, end)));
}

TEST(Container, LaysOutTheBytesOfTheFormat) {
  const std::string bytes = encode_container({{.name = "ab", .bytes = "xyz"}});
  std::string expected(
      "\x89"
      "ESPA\r\n\x1A"
      "\1\0\0\0"
      "\1\0\0\0"
      "\x50\0\0\0\0\0\0\0",
      24);
  expected += std::string("ab") + std::string(14, '\0');
  expected += std::string(
      "\x48\0\0\0\0\0\0\0"
      "\3\0\0\0\0\0\0\0",
      16);
  expected += put_u32(std::string(8, '\0'), 0, base::crc32c("xyz"));
  expected += put_u32(std::string(8, '\0'), 0, base::crc32c(expected));
  expected += std::string("xyz\0\0\0\0\0", 8);
  EXPECT_EQ(bytes, expected);
}

TEST(Container, GivesTheSectionsBack) {
  const std::string bytes = encode_container(kSections);
  const Container container = decode_container(bytes, "run.espalier");
  EXPECT_EQ(container.version, kContainerVersion);
  EXPECT_EQ(container.sections.size(), 3U);
  for (const Section& section : kSections) {
    EXPECT_EQ(container.sections.at(section.name), section.bytes);
  }
  EXPECT_TRUE(is_container(bytes));
  EXPECT_FALSE(is_container("ONNX"));
}

TEST(Container, RefusesEveryTruncationAndExtension) {
  const std::string bytes = encode_container(kSections);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    expect_user_error([&] { (void)decode_container(bytes.substr(0, length), "cut.espalier"); },
                      "cannot read the checkpoint 'cut.espalier'");
  }
  expect_user_error([&] { (void)decode_container(bytes + '\0', "long.espalier"); },
                    "size of the file: got 169 bytes, expected 168");
}

TEST(Container, RefusesEveryFlippedBit) {
  const std::string bytes = encode_container(kSections);
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[place] = static_cast<char>(flipped[place] ^ (1 << bit));
      expect_user_error([&] { (void)decode_container(flipped, "flip.espalier"); },
                        "cannot read the checkpoint 'flip.espalier'");
    }
  }
}

TEST(Container, NamesWhatIsWrong) {
  const std::string bytes = encode_container(kSections);
  expect_user_error([] { (void)decode_container("not one", "x"); },
                    "magic number: got other bytes, expected a file that Espalier wrote");
  std::string changed = bytes;
  changed[152] = 'X';
  expect_user_error([&] { (void)decode_container(changed, "x"); },
                    "section 'graph': got a wrong checksum, expected unchanged bytes (the file is "
                    "damaged or was not written completely)");
  changed = bytes;
  changed[156] = 'X';
  expect_user_error([&] { (void)decode_container(changed, "x"); },
                    "section 'graph': got changed padding, expected zeros");
}

TEST(Container, RefusesLaterVersionsByNumber) {
  const std::string bytes = encode_container(kSections);
  expect_user_error(
      [&] { (void)decode_container(reseal(put_u32(bytes, 8, 2), 3), "new.espalier"); },
      "got format version 2, expected 1 to 1 (a later Espalier wrote it");
  expect_user_error([&] { (void)decode_container(reseal(put_u32(bytes, 8, 0), 3), "x"); },
                    "got format version 0");
}

TEST(Container, RefusesATableThatLies) {
  const std::string bytes = encode_container(kSections);
  expect_user_error([&] { (void)decode_container(put_u32(bytes, 12, 0xFFFFFFFF), "x"); },
                    "header: got a wrong checksum");
  // An offset elsewhere, a size beyond the file (near 2^64), a repeated name.
  expect_user_error([&] { (void)decode_container(reseal(put_u32(bytes, 40, 8), 3), "x"); },
                    "table of sections: got row 0 with offset 8");
  const std::string huge = put_u32(put_u32(bytes, 48, 0xFFFFFFFF), 52, 0xFFFFFFFF);
  expect_user_error([&] { (void)decode_container(reseal(huge, 3), "x"); },
                    "size 18446744073709551615, expected offset 152 and a size up to");
  const std::string twice = encode_container({kSections[0], kSections[0]});
  expect_user_error([&] { (void)decode_container(twice, "x"); }, "got 'graph' twice");
}

TEST(Container, RefusesNamesThatDoNotFit) {
  kit::expect_internal_error(
      [] { (void)encode_container({{.name = "seventeen_letters", .bytes = ""}}); },
      "'seventeen_letters' cannot name a section");
  kit::expect_internal_error([] { (void)encode_container({{.name = "", .bytes = ""}}); },
                             "cannot name a section");
}

}  // namespace
}  // namespace espalier::train
