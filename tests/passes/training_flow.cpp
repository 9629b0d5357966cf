#include "tests/passes/training_flow.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include "espalier/analysis/model_id.h"
#include "espalier/exec/program.h"
#include "espalier/passes/pipelines.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes_test {
namespace {

constexpr std::string_view kText =
    "g (float[N,3,8,8] x, float[4,3,3,3] w1, float[4] g1, float[4] b1, float[4] m1,"
    " float[4] variance1, float[4,1,3,3] w2, float[4] c2, float[4] g2, float[4] b2, float[4] m2,"
    " float[4] variance2, float[4,4,1,1] w3, float[4] g3, float[4] b3, float[4] m3,"
    " float[4] variance3, float[4,5] w4, float[5] c4) => (float[N,5] y)"
    " { [conv1] a = Conv<pads=[1,1,1,1]>(x, w1)"
    "   n = BatchNormalization(a, g1, b1, m1, variance1) [relu1] r = Relu(n)"
    "   [conv2] d = Conv<pads=[1,1,1,1], group=4>(r, w2, c2)"
    "   o = BatchNormalization(d, g2, b2, m2, variance2) [relu2] q = Relu(o)"
    "   [conv3] e = Conv(q, w3)"
    "   p = BatchNormalization(e, g3, b3, m3, variance3) [add] s = Add(p, r)"
    "   [relu3] t = Relu(s) [pool] u = GlobalAveragePool(t) [flat] f = Flatten(u)"
    "   [gemm] y = Gemm(f, w4, c4) }";

constexpr std::string_view kTransposedText =
    "g (float[N,3,8,8] x, float[3,4,2,2] w1, float[4] c1, float[4] g1, float[4] b1, float[4] m1,"
    " float[4] variance1, float[2,4,1,1] w2) => (float[N,2,16,16] y)"
    " { [up] a = ConvTranspose<strides=[2,2]>(x, w1, c1)"
    "   n = BatchNormalization(a, g1, b1, m1, variance1) [relu] r = Relu(n)"
    "   [conv] y = Conv(r, w2) }";

Tensor batch() {
  return kit::random_tensor({6, 3, 8, 8}, 77, {.normal = true});
}

exec::CompileOptions wide(exec::Mode mode) {
  return {.mode = mode, .dtype = tensor::DType::Float64};
}

}  // namespace

TrainingCase training_case(const passes::TrainingQuantizers& options) {
  TrainingCase result{.model = graph_of(kText), .plan = {}, .training = {}};
  ir::Graph prepared = result.model.clone();
  passes::run(prepared, passes::prepare_for_quantization());
  result.plan =
      plan_for(prepared, {.values = {"x", "e", "s"}, .non_negative = {"r", "q", "t", "f"}});
  std::erase_if(result.plan.edges, [](const quant::EdgeKey& edge) {
    return edge.node == "relu3" || edge.node == "relu1" || edge.node == "relu2";
  });
  result.plan.activations.erase("s");
  result.plan.target = "x86";
  result.plan.model_id = analysis::model_id(prepared);
  result.training = result.model.clone();
  passes::run(result.training, passes::prepare_for_training());
  passes::run(result.training, {passes::insert_training_quantizers(result.plan, options)});
  return result;
}

TrainingCase transposed_case(std::string_view target, passes::BatchNormForm form) {
  TrainingCase result{.model = graph_of(kTransposedText), .plan = {}, .training = {}};
  ir::Graph prepared = result.model.clone();
  passes::run(prepared, passes::prepare_for_quantization());
  result.plan = plan_for(prepared, {.values = {"x"}, .non_negative = {"r"}});
  result.plan.target = target;
  tensor::QuantParams& params = result.plan.weights.at("w1").params;
  params.axis = -1;
  params.scale = {*std::ranges::max_element(params.scale)};
  params.zero_point = {0};
  result.training = result.model.clone();
  passes::run(result.training, passes::prepare_for_training());
  passes::run(result.training,
              {passes::insert_training_quantizers(result.plan, {.batch_norm = form})});
  return result;
}

void train_a_little(ir::Graph& graph, bool frozen) {
  exec::Program program = exec::Program::compile(graph, wide(exec::Mode::Training));
  program.freeze_batch_norm(frozen);
  for (int step = 0; step < 4; ++step) {
    const Tensor output = program.run(std::vector<Tensor>{batch()}).at(0);
    (output * output).mean().backward();
    const c10::AutoGradMode no_gradients(false);
    for (const auto& [name, parameter] : program.parameters()) {
      if (!parameter.grad().defined()) continue;
      Tensor target = parameter;
      target.sub_(parameter.grad(), 0.01);
      target.mutable_grad().zero_();
    }
  }
  program.write_back(graph);
}

Tensor evaluate(const ir::Graph& graph) {
  exec::Program program = exec::Program::compile(graph, wide(exec::Mode::Training));
  program.set_training(false);
  const c10::AutoGradMode no_gradients(false);
  return program.run(std::vector<Tensor>{batch()}).at(0);
}

Tensor infer(const ir::Graph& graph) {
  return exec::Program::compile(graph, wide(exec::Mode::Inference))
      .run(std::vector<Tensor>{batch()})
      .at(0);
}

}  // namespace espalier::passes_test
