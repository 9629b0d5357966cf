#include "espalier/deploy/modules/engine_inputs.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"

namespace espalier::deploy {
namespace {

const std::vector<EngineInput> kDeclared = {
    {.name = "x", .dtype = tensor::DType::Float32, .sizes = {-1, 3}}};

TEST(EngineInputs, MakesTensorsContiguous) {
  const std::vector<Tensor> given = {at::ones({3, 2}).t()};
  ASSERT_FALSE(given[0].is_contiguous());
  EXPECT_TRUE(fit_inputs("engine", kDeclared, given).at(0).is_contiguous());
}

TEST(EngineInputs, RefusesAnotherRank) {
  const std::vector<Tensor> given = {at::ones({3})};
  kit::expect_user_error([&] { (void)fit_inputs("engine", kDeclared, given); },
                         "engine cannot run the model: input 'x': got float32 [3], expected "
                         "float32 [?, 3]");
}

TEST(EngineInputs, RefusesAMissingTensor) {
  const std::vector<Tensor> given = {Tensor()};
  kit::expect_user_error([&] { (void)fit_inputs("engine", kDeclared, given); },
                         "engine cannot run the model: input 'x' has no tensor");
}

TEST(EngineInputs, RefusesAnotherCount) {
  kit::expect_user_error([] { (void)fit_inputs("engine", kDeclared, {}); },
                         "engine cannot run the model: got 0 inputs, expected 1");
}

}  // namespace
}  // namespace espalier::deploy
