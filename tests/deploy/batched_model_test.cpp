#include "espalier/deploy/batched_model.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include "tests/deploy/small_models.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ::testing::ElementsAre;

/// Doubles its input and writes down the batch sizes it was given.
class Doubler final : public EngineModel {
 public:
  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    batches.push_back(inputs.front().size(0));
    return {inputs.front() * 2};
  }
  [[nodiscard]] std::vector<EngineLayer> layers() const override { return {}; }

  std::vector<std::int64_t> batches;
};

TEST(BatchedModel, AFreeBatchIsOneRun) {
  Doubler model;
  const std::vector<Tensor> inputs = {kit::tensor_of({1, 2, 3}, {3, 1})};
  const auto outputs = run_batched(model, inputs, std::nullopt);
  EXPECT_THAT(model.batches, ElementsAre(3));
  EXPECT_THAT(outputs[0], kit::IsCloseTo(kit::tensor_of({2, 4, 6}, {3, 1})));
}

TEST(BatchedModel, AFixedBatchIsCutAndFilledUp) {
  Doubler model;
  const std::vector<Tensor> inputs = {kit::tensor_of({1, 2, 3, 4, 5}, {5, 1})};
  const auto outputs = run_batched(model, inputs, 2);
  EXPECT_THAT(model.batches, ElementsAre(2, 2, 2));
  EXPECT_THAT(outputs[0], kit::IsCloseTo(kit::tensor_of({2, 4, 6, 8, 10}, {5, 1})));
}

TEST(BatchedModel, FewerSamplesThanTheBatchAreFilledUp) {
  Doubler model;
  const std::vector<Tensor> inputs = {kit::tensor_of({7}, {1, 1})};
  const auto outputs = run_batched(model, inputs, 4);
  EXPECT_THAT(model.batches, ElementsAre(4));
  EXPECT_THAT(outputs[0], kit::IsCloseTo(kit::tensor_of({14}, {1, 1})));
}

TEST(BatchedModel, ReadsTheFixedBatchOfAGraph) {
  EXPECT_FALSE(fixed_batch(float_net()).has_value());
  ir::Graph graph;
  graph.add_input("x", {tensor::DType::Float32, tensor::make_shape({4, 3})});
  EXPECT_EQ(fixed_batch(graph), 4);
}

}  // namespace
}  // namespace espalier::deploy
