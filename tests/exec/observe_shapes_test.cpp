#include "espalier/exec/observe_shapes.h"

#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

/// y = Cast(NonZero(x)): how many places there are is known only when it runs.
ir::Graph places_of_numbers() {
  ir::Graph graph;
  ir::Value& x =
      graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({2, 3})});
  ir::Node& places = graph.add_node({.op = "NonZero", .inputs = {&x}, .outputs = {"places"}});
  ir::Node& cast = graph.add_node({.op = "Cast",
                                   .inputs = {places.output()},
                                   .outputs = {"y"},
                                   .attributes = {{"to", std::int64_t{1}}}});
  tensor::Shape shape = tensor::make_shape({2, 1});
  shape[1] = {};
  places.output()->set_type({.dtype = tensor::DType::Int64, .shape = shape});
  cast.output()->set_type({.dtype = tensor::DType::Float32, .shape = shape});
  graph.add_output(*cast.output());
  return graph;
}

TEST(ObserveShapes, SizesAreThoseOfTheRun) {
  ir::Graph graph = places_of_numbers();
  observe_shapes(graph, {kit::tensor_of({1, 0, 0, 2, 3, 0}, {2, 3})});
  EXPECT_EQ(tensor::known_sizes(*graph.outputs()[0]->type().shape),
            (std::vector<std::int64_t>{2, 3}));
}

TEST(ObserveShapes, WhatIsKnownIsNotRun) {
  ir::Graph graph = places_of_numbers();
  graph.outputs()[0]->set_type(
      {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({2, 5})});
  observe_shapes(graph, {});
  EXPECT_EQ(tensor::known_sizes(*graph.outputs()[0]->type().shape),
            (std::vector<std::int64_t>{2, 5}));
}

}  // namespace
}  // namespace espalier::exec
