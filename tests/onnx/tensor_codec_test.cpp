#include "espalier/onnx/tensor_codec.h"

#include <limits>

#include <ATen/ops/arange.h>
#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"

namespace espalier::onnx {
namespace {

using ::onnx::TensorProto;

TensorProto proto_of(TensorProto::DataType type, const std::vector<std::int64_t>& dims) {
  TensorProto proto;
  proto.set_data_type(type);
  for (const std::int64_t dim : dims) proto.add_dims(dim);
  return proto;
}

Tensor read_it(const TensorProto& proto) {
  return *read_tensor(proto, {}, "initializer 'w'");
}

void expect_refused(const TensorProto& proto, std::string_view text) {
  kit::expect_user_error([&] { static_cast<void>(read_it(proto)); }, text);
}

TEST(TensorCodec, EveryTypeSurvivesAsRawData) {
  for (const at::ScalarType type :
       {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kChar, at::kByte, at::kShort,
        at::kInt, at::kLong, at::kBool, at::kUInt16, at::kUInt32, at::kUInt64}) {
    const Tensor tensor = at::arange(6, at::kInt).view({2, 3}).to(type);
    TensorProto proto;
    write_tensor(tensor, proto);
    const Tensor again = read_it(proto);
    EXPECT_EQ(again.scalar_type(), type);
    EXPECT_EQ(again.sizes(), tensor.sizes());
    EXPECT_EQ(std::string(static_cast<const char*>(again.const_data_ptr()), again.nbytes()),
              std::string(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()));
  }
}

TEST(TensorCodec, TypedFields) {
  TensorProto floats = proto_of(TensorProto::FLOAT, {2});
  floats.add_float_data(1.5F);
  floats.add_float_data(-2.0F);
  EXPECT_THAT(read_it(floats), kit::HasSameBits(kit::tensor_of({1.5F, -2.0F})));
  TensorProto halves = proto_of(TensorProto::FLOAT16, {1});
  halves.add_int32_data(0x3C00);
  EXPECT_EQ(read_it(halves).item().toDouble(), 1.0);
  TensorProto bytes = proto_of(TensorProto::INT8, {2});
  bytes.add_int32_data(-1);
  bytes.add_int32_data(127);
  EXPECT_EQ(kit::values_of(read_it(bytes)), (std::vector<double>{-1, 127}));
  TensorProto words = proto_of(TensorProto::UINT32, {1});
  words.add_uint64_data(4000000000U);
  EXPECT_EQ(kit::values_of(read_it(words).to(at::kLong)), (std::vector<double>{4e9}));
  TensorProto flags = proto_of(TensorProto::BOOL, {2});
  flags.add_int32_data(1);
  flags.add_int32_data(0);
  EXPECT_EQ(kit::values_of(read_it(flags)), (std::vector<double>{1, 0}));
}

TEST(TensorCodec, ScalarsAndEmptyTensors) {
  TensorProto scalar = proto_of(TensorProto::INT64, {});
  scalar.add_int64_data(7);
  EXPECT_EQ(read_it(scalar).dim(), 0);
  TensorProto empty = proto_of(TensorProto::FLOAT, {2, 0, 3});
  EXPECT_EQ(read_it(empty).numel(), 0);
  TensorProto again;
  write_tensor(read_it(empty), again);
  EXPECT_EQ(read_it(again).sizes(), (std::vector<std::int64_t>{2, 0, 3}));
}

TEST(TensorCodec, BoolsAreZeroOrOne) {
  TensorProto proto = proto_of(TensorProto::BOOL, {2});
  proto.set_raw_data(std::string("\x00\x7F", 2));
  EXPECT_EQ(static_cast<const std::uint8_t*>(read_it(proto).const_data_ptr())[1], 1);
}

TEST(TensorCodec, ClaimsBeyondTheDataAreRefused) {
  TensorProto proto = proto_of(TensorProto::FLOAT, {1 << 14, 1 << 15});
  proto.set_raw_data("abcd");
  expect_refused(proto, "initializer 'w': got 4 bytes of data, expected 2147483648 bytes");
  proto.clear_raw_data();
  proto.add_float_data(1);
  expect_refused(proto, "got 1 values, expected 536870912");
  expect_refused(proto_of(TensorProto::INT64, {3}), "got 0 values, expected 3");
}

TEST(TensorCodec, AbsurdDimsAreRefused) {
  expect_refused(proto_of(TensorProto::FLOAT, {-1}), "dims [-1], expected sizes >= 0");
  const std::int64_t huge = std::int64_t{1} << 40;
  expect_refused(proto_of(TensorProto::FLOAT, {huge, huge}), "at most 2^40 elements");
  expect_refused(proto_of(TensorProto::FLOAT, {0, huge, huge}), "at most 2^40 elements");
  expect_refused(proto_of(TensorProto::FLOAT, std::vector<std::int64_t>(40, 1)),
                 "40 dims, expected at most 32");
}

TEST(TensorCodec, UnknownTypesAreRefusedAndKnownOnesCarried) {
  TensorProto proto = proto_of(TensorProto::FLOAT, {1});
  proto.set_data_type(77);
  expect_refused(proto, "data type 77, expected a type of ONNX");
  EXPECT_EQ(read_tensor(proto_of(TensorProto::STRING, {1}), {}, "x"), std::nullopt);
  EXPECT_EQ(read_tensor(proto_of(TensorProto::INT4, {2}), {}, "x"), std::nullopt);
  TensorProto segment = proto_of(TensorProto::FLOAT, {1});
  segment.mutable_segment()->set_begin(0);
  expect_refused(segment, "a segment of a tensor");
}

class External : public testing::Test {
 protected:
  TensorProto external(const std::string& location, const std::string& offset = "",
                       const std::string& length = "") {
    TensorProto proto = proto_of(TensorProto::FLOAT, {2});
    proto.set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair{"location", location}, std::pair{"offset", offset},
                                     std::pair{"length", length}}) {
      if (value.empty()) continue;
      auto& entry = *proto.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    return proto;
  }

  void expect_refused_in_folder(const TensorProto& proto, std::string_view text) {
    kit::expect_user_error(
        [&] { static_cast<void>(read_tensor(proto, folder_.path(), "initializer 'w'")); }, text);
  }

  kit::TemporaryFolder folder_;
};

TEST_F(External, ReadsThePart) {
  const float values[] = {9, 1.5F, -2};
  folder_.write("w.bin", std::string_view(reinterpret_cast<const char*>(values), sizeof(values)));
  const auto tensor = read_tensor(external("w.bin", "4", "8"), folder_.path(), "w");
  EXPECT_THAT(*tensor, kit::HasSameBits(kit::tensor_of({1.5F, -2})));
}

TEST_F(External, EscapesAreRefused) {
  expect_refused_in_folder(external("../secret"), "../secret");
  expect_refused_in_folder(external("/etc/passwd"), "/etc/passwd");
  expect_refused(external("w.bin"), "read the model from its file, not from bytes");
}

TEST_F(External, BadPlacesAreRefused) {
  folder_.write("w.bin", "0123456789");
  expect_refused_in_folder(external("missing.bin"), "no such file");
  expect_refused_in_folder(external("w.bin", "4"), "'w.bin' with 10 bytes, expected at least 8");
  expect_refused_in_folder(external("w.bin", "18446744073709551615"), "expected at least 8 bytes");
  expect_refused_in_folder(external("w.bin", "-1"), "external data offset '-1', expected a number");
  expect_refused_in_folder(external("w.bin", "0", "4"), "external data of 4 bytes");
  expect_refused_in_folder(external(""), "external data without a location");
}

TEST_F(External, StringsOutsideAreUnsupported) {
  TensorProto proto = external("w.bin");
  proto.set_data_type(TensorProto::STRING);
  kit::expect_unsupported([&] { static_cast<void>(read_tensor(proto, folder_.path(), "w")); },
                          "store this tensor inside the model file");
}

}  // namespace
}  // namespace espalier::onnx
