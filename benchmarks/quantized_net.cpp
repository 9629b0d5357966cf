#include "benchmarks/quantized_net.h"

#include "benchmarks/image_pool.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "espalier/passes/lower_to_qdq.h"
#include "espalier/passes/pipelines.h"
#include "espalier/quant/planner.h"

namespace espalier::benchmarks {

ir::Graph prepare_net(const ir::Graph& graph) {
  ir::Graph prepared = graph.clone();
  passes::run(prepared, passes::prepare_for_quantization());
  onnx::infer_shapes(prepared);
  return prepared;
}

NetFiles quantize_net(const ir::Graph& graph, const Tensor& images) {
  ir::Graph prepared = prepare_net(graph);
  const quant::PlanOptions options{.target = "x86"};
  const auto statistics =
      quant::collect(prepared, quant::values_to_observe(prepared, options),
                     cycle_images(images, images.size(0), images.size(0)),
                     {.samples = static_cast<std::size_t>(images.size(0)), .micro_batch = 4});
  const quant::QuantPlan plan = quant::make_plan(prepared, statistics, options);
  passes::run(prepared, {passes::insert_fake_quantize(plan), passes::lower_to_qdq(plan)});
  return {.float_bytes = onnx::encode(graph), .quantized_bytes = onnx::encode(prepared)};
}

}  // namespace espalier::benchmarks
