#include "espalier/passes/infer_shapes.h"

#include "espalier/onnx/shapes.h"

namespace espalier::passes {

Pass infer_shapes() {
  return {.name = "infer_shapes", .apply = [](ir::Graph& graph) {
            onnx::infer_shapes(graph);
            return std::size_t{0};
          }};
}

}  // namespace espalier::passes
