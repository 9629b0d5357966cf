#include "tests/analysis/diamond.h"

#include "tests/kit/tensors.h"

namespace espalier::analysis_test {

ir::Graph diamond() {
  ir::Graph graph;
  graph.opsets[""] = 17;
  const tensor::Shape shape{{.size = {}, .symbol = "N"}, {.size = 2, .symbol = {}}};
  const ir::TypeInfo type{.dtype = tensor::DType::Float32, .shape = shape};
  ir::Value& input = graph.add_input("x", type);
  ir::Value& weight = graph.add_initializer("w", kit::tensor_of({1, 2, 3, 4}, {2, 2}));
  graph.add_initializer("unused", kit::tensor_of({1}));
  const auto add = [&](const char* op, const char* name, std::vector<ir::Value*> inputs) {
    ir::Value* output =
        graph.add_node({.op = op, .inputs = std::move(inputs), .outputs = {name}, .name = name})
            .output();
    output->set_type(type);
    return output;
  };
  ir::Value* stem = add("Relu", "stem", {&input});
  ir::Value* left = add("Neg", "left", {stem});
  ir::Value* right = add("Gemm", "right", {stem, &weight});
  graph.add_output(*add("Add", "join", {left, right}));
  return graph;
}

}  // namespace espalier::analysis_test
