#include "espalier/onnx/attribute_codec.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::onnx {
namespace {

using ::onnx::AttributeProto;

ir::Attribute round_trip(const ir::Attribute& attribute) {
  AttributeProto proto;
  write_attribute("a", attribute, proto);
  EXPECT_EQ(proto.name(), "a");
  return read_attribute(proto, {}, "node 'n' (N)");
}

TEST(AttributeCodec, EveryKindSurvives) {
  const ir::Attribute kinds[] = {std::int64_t{-5},     2.5F,
                                 std::string("text"),  kit::tensor_of({1, 2}),
                                 ir::Ints{1, 2, 3},    ir::Floats{0.5F},
                                 ir::Strings{"a", ""}, ir::Ints{},
                                 ir::Floats{}};
  for (const ir::Attribute& attribute : kinds) {
    EXPECT_TRUE(ir::equal(round_trip(attribute), attribute)) << ir::type_name(attribute);
  }
}

TEST(AttributeCodec, GraphsAreOpaqueAndSurvive) {
  AttributeProto proto;
  proto.set_name("body");
  proto.set_type(AttributeProto::GRAPH);
  proto.mutable_g()->set_name("inner");
  const ir::Attribute attribute = read_attribute(proto, {}, "node 'n' (N)");
  ASSERT_EQ(ir::type_name(attribute), "opaque");
  EXPECT_EQ(parse_opaque(std::get<ir::OpaqueAttribute>(attribute)).g().name(), "inner");
  EXPECT_TRUE(ir::equal(round_trip(attribute), round_trip(round_trip(attribute))));
}

TEST(AttributeCodec, TypesMayBeLeftOut) {
  AttributeProto proto;
  proto.set_i(4);
  EXPECT_EQ(std::get<std::int64_t>(read_attribute(proto, {}, "n")), 4);
  AttributeProto list;
  list.add_floats(1.0F);
  EXPECT_EQ(std::get<ir::Floats>(read_attribute(list, {}, "n")), ir::Floats{1.0F});
}

TEST(AttributeCodec, BadAttributesAreRefused) {
  AttributeProto nothing;
  nothing.set_name("a");
  kit::expect_user_error([&] { static_cast<void>(read_attribute(nothing, {}, "node 'n' (N)")); },
                         "bad attribute 'a': node 'n' (N): got no value");
  AttributeProto reference;
  reference.set_name("a");
  reference.set_ref_attr_name("outer");
  kit::expect_user_error([&] { static_cast<void>(read_attribute(reference, {}, "node 'n' (N)")); },
                         "a reference to an attribute of a function");
}

TEST(AttributeCodec, GarbageInsideIsOurBug) {
  kit::expect_internal_error([] { static_cast<void>(parse_opaque({.bytes = "\xFF\xFF"})); },
                             "an opaque attribute is not a proto");
}

TEST(AttributeCodec, StringTensorsAreOpaque) {
  AttributeProto proto;
  proto.set_name("value");
  proto.set_type(AttributeProto::TENSOR);
  proto.mutable_t()->set_data_type(::onnx::TensorProto::STRING);
  EXPECT_EQ(ir::type_name(read_attribute(proto, {}, "n")), "opaque");
}

}  // namespace
}  // namespace espalier::onnx
