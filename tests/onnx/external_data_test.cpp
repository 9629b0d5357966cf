#include "espalier/onnx/external_data.h"

#include <gmock/gmock.h>

#include "tests/kit/temporary_folder.h"

namespace espalier::onnx {
namespace {

void add_tensor(::onnx::ModelProto& model, const std::string& name, std::size_t bytes) {
  auto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::UINT8);
  tensor.add_dims(static_cast<std::int64_t>(bytes));
  tensor.set_raw_data(std::string(bytes, name.front()));
}

TEST(ExternalData, MovesLargeTensorsToAlignedPlaces) {
  const kit::TemporaryFolder folder;
  ::onnx::ModelProto model;
  add_tensor(model, "a", 1025);
  add_tensor(model, "small", 16);
  add_tensor(model, "b", 2000);
  move_data_out(model, folder.file("m.onnx"));
  const auto& graph = model.graph();
  EXPECT_TRUE(graph.initializer(1).has_raw_data());
  EXPECT_FALSE(graph.initializer(0).has_raw_data());
  EXPECT_EQ(graph.initializer(2).external_data(0).value(), "m.onnx.data");
  EXPECT_EQ(graph.initializer(2).external_data(1).value(), "1088");
  EXPECT_EQ(graph.initializer(2).external_data(2).value(), "2000");
  const std::string data = folder.read("m.onnx.data");
  EXPECT_EQ(data.size(), 1088U + 2000U);
  EXPECT_EQ(data.substr(1088), std::string(2000, 'b'));
}

}  // namespace
}  // namespace espalier::onnx
