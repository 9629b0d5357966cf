#include "espalier/weights/safetensors.h"

#include <string>

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"

namespace espalier::weights {
namespace {

using kit::expect_unsupported;
using kit::expect_user_error;

std::string file_of(std::string_view header, std::string_view data) {
  std::string bytes;
  for (int index = 0; index < 8; ++index) {
    bytes.push_back(static_cast<char>(std::uint64_t{header.size()} >> (8 * index)));
  }
  return bytes.append(header).append(data);
}

SafeTensors decode(std::string_view header, std::string_view data = "") {
  return decode_safetensors(file_of(header, data), "x.safetensors");
}

TEST(SafeTensors, BytesAreThoseOfTheFormat) {
  const std::string bytes = encode_safetensors(
      {{"b", kit::tensor_of({1.0F}, {1, 1})}, {"a", kit::integers_of({-2}, {1}).to(at::kChar)}},
      {{"k", "v"}});
  // Written by hand after the format's description; the header is padded to a multiple of 8.
  std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"data_offsets":[0,1],"dtype":"I8","shape":[1]},)"
      R"("b":{"data_offsets":[1,5],"dtype":"F32","shape":[1,1]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(bytes, file_of(header, std::string("\xFE\x00\x00\x80\x3F", 5)));
}

class EveryType : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(EveryType, ComesBackBitForBit) {
  const Tensor tensor = kit::random_tensor({3, 5}, 4, {.low = 0, .high = 100}).to(GetParam());
  const std::string bytes = encode_safetensors({{"x", tensor}});
  const SafeTensors back = decode_safetensors(bytes, "x");
  EXPECT_THAT(back.tensors.at("x"), kit::HasSameBits(tensor));
}

INSTANTIATE_TEST_SUITE_P(Types, EveryType,
                         ::testing::Values(at::kDouble, at::kFloat, at::kHalf, at::kBFloat16,
                                           at::kLong, at::kInt, at::kShort, at::kChar, at::kByte,
                                           at::kBool, at::kUInt16, at::kUInt32, at::kUInt64),
                         [](const auto& one) { return std::string(c10::toString(one.param)); });

TEST(SafeTensors, KeepsScalarsEmptyTensorsAndLogicalOrder) {
  const Tensor matrix = kit::tensor_of({1, 2, 3, 4, 5, 6}, {2, 3});
  const TensorMap tensors{{"scalar", kit::tensor_of({7}, {})},
                          {"empty", at::empty({0, 4})},
                          {"transposed", matrix.t()}};
  const SafeTensors back = decode_safetensors(encode_safetensors(tensors), "x");
  EXPECT_THAT(back.tensors.at("scalar"), kit::HasSameBits(tensors.at("scalar")));
  EXPECT_EQ(back.tensors.at("empty").sizes().vec(), (std::vector<std::int64_t>{0, 4}));
  EXPECT_THAT(back.tensors.at("transposed"), kit::HasSameBits(matrix.t().contiguous()));
}

TEST(SafeTensors, WritesAndReadsFiles) {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  write_safetensors(path, {{"x", kit::tensor_of({1, 2})}}, {{"format", "pt"}});
  const SafeTensors back = read_safetensors(path);
  EXPECT_EQ(back.metadata.at("format"), "pt");
  EXPECT_EQ(back.tensors.size(), 1U);
  EXPECT_EQ(folder.files(), std::vector<std::string>{"w.safetensors"});
}

TEST(SafeTensors, ReadsAnEmptyMap) {
  EXPECT_TRUE(decode("{}").tensors.empty());
  EXPECT_TRUE(decode_safetensors(encode_safetensors({}), "x").tensors.empty());
}

TEST(SafeTensors, RefusesABadHeader) {
  expect_user_error([] { (void)decode_safetensors("abc", "w.st"); },
                    "cannot read the safetensors 'w.st': header length: got 3 bytes, expected at "
                    "least 8");
  expect_user_error([] { (void)decode_safetensors(std::string(8, '\xFF'), "w.st"); },
                    "header length: got 18446744073709551615, expected at most 0");
  expect_user_error([] { (void)decode_safetensors(std::string("\x40\0\0\0\0\0\0\0{}", 10), "w"); },
                    "header length: got 64, expected at most 2");
  expect_user_error([] { (void)decode("{\"a\":"); }, "expected a JSON object");
  expect_user_error([] { (void)decode("[]"); }, "header: got array, expected a JSON object");
  expect_user_error([] { (void)decode(""); }, "header");
  expect_user_error([] { (void)decode(std::string(100000, '[')); }, "nested lists or objects");
  expect_user_error([] { (void)decode("{\"\xFF\":1}"); }, "header");
  expect_user_error(
      [] {
        const std::string one = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
        (void)decode("{" + one + "," + one + "}", "x");
      },
      "the name 'a' twice");
  expect_user_error([] { (void)decode(R"({"__metadata__":{"k":1}})"); },
                    "'__metadata__', key 'k': got number, expected a string");
  expect_user_error([] { (void)decode(R"({"__metadata__":3})"); }, "expected an object of strings");
}

std::string entry(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return fmt::format(R"({{"a":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape,
                     offsets);
}

TEST(SafeTensors, RefusesABadEntry) {
  expect_user_error([] { (void)decode(R"({"a":3})"); },
                    "tensor 'a': got 3, expected an object of dtype, shape and data_offsets");
  expect_user_error([] { (void)decode(R"({"a":{"dtype":"U8","shape":[],"extra":1}})"); },
                    "expected an object of dtype, shape and data_offsets");
  expect_user_error([] { (void)decode(entry("\"Q9\"", "[1]", "[0,1]"), "x"); },
                    "tensor 'a', dtype: got 'Q9', expected F64, F32");
  expect_user_error([] { (void)decode(entry("8", "[1]", "[0,1]"), "x"); }, "expected a name");
  expect_unsupported([] { (void)decode(entry("\"F8_E4M3\"", "[1]", "[0,1]"), "x"); },
                     "tensor 'a', dtype: got 'F8_E4M3'");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[-1]", "[0,1]"), "x"); },
                    "tensor 'a', shape: got -1, expected an integer of 0 or more");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[1.5]", "[0,1]"), "x"); }, "got 1.5");
  expect_user_error([] { (void)decode(entry("\"U8\"", "7", "[0,1]"), "x"); },
                    "expected a list of at most 64 sizes");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[4294967296,4294967296]", "[0,1]"), "x"); },
                    "expected less than 2^63 bytes");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[0,4294967296,4294967296]", "[0,0]"), ""); },
                    "expected less than 2^63 bytes");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[18446744073709551615]", "[0,1]"), "x"); },
                    "expected less than 2^63 bytes");
  expect_user_error([] { (void)decode(entry("\"BOOL\"", "[1]", "[0,1]"), "\x02"); },
                    "got a BOOL that is neither 0 nor 1");
}

TEST(SafeTensors, RefusesBadOffsets) {
  expect_user_error([] { (void)decode(entry("\"U8\"", "[1]", "[0]"), "x"); },
                    "expected two integers");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[1]", "[1,0]"), "x"); },
                    "data_offsets: got [1,0], expected begin <= end <= 1");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[2]", "[0,2]"), "x"); },
                    "expected begin <= end <= 1");
  expect_user_error([] { (void)decode(entry("\"F32\"", "[1]", "[0,1]"), "x"); },
                    "got 1 bytes, expected 4 bytes for its type and shape");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[1]", "[1,2]"), "xy"); },
                    "got begin 1, expected 0: tensors follow each other without overlap or hole");
  expect_user_error([] { (void)decode(entry("\"U8\"", "[1]", "[0,1]"), "xy"); },
                    "end of the file: got 2 bytes of data, expected 1 as the header says");
  const std::string two = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})";
  expect_user_error([&] { (void)decode(two, "xyz"); },
                    "tensor 'b', data_offsets: got begin 1, expected 2");
}

TEST(SafeTensors, RefusesEveryTruncation) {
  const std::string bytes = encode_safetensors({{"x", kit::tensor_of({1, 2, 3})}});
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    expect_user_error([&] { (void)decode_safetensors(bytes.substr(0, length), "cut"); },
                      "cannot read the safetensors 'cut'");
  }
}

TEST(SafeTensors, RefusesWhatItCannotWrite) {
  expect_user_error(
      [] {
        (void)encode_safetensors({{"__metadata__", kit::tensor_of({1})}});
      },
      "got the name '__metadata__'");
  expect_unsupported(
      [] {
        (void)encode_safetensors({{"c", at::zeros({1}, at::kComplexFloat)}});
      },
      "tensor 'c'");
  expect_user_error(
      [] {
        (void)encode_safetensors({{"\xFF", kit::tensor_of({1})}});
      },
      "a name that is not UTF-8");
}

}  // namespace
}  // namespace espalier::weights
