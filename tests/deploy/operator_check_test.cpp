#include "espalier/deploy/operator_check.h"

#include <gmock/gmock.h>

#include "espalier/onnx/codec.h"
#include "tests/deploy/fake_engine.h"
#include "tests/deploy/small_models.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

OperatorCheckRequest request_for(const std::string& bytes) {
  return {.quantized_model = bytes, .images = {kit::random_tensor({4, 8, 8, 8}, /*seed=*/9)}};
}

TEST(OperatorCheck, EveryOperatorIsWithinOneStepInBothEngines) {
  const std::string bytes = onnx::encode(quantized_net());
  const auto results = check_operators(request_for(bytes));
  ASSERT_THAT(results, SizeIs(10));
  for (const OperatorDifference& result : results) {
    EXPECT_TRUE(result.passed()) << result.engine << " " << result.name << ": " << result.failure
                                 << " worst " << result.worst_step;
    EXPECT_GT(result.elements, 0);
  }
}

TEST(OperatorCheck, FindsAnEngineThatIsTwoStepsOff) {
  const std::string bytes = onnx::encode(quantized_net());
  OperatorCheckRequest request = request_for(bytes);
  request.engines = {"off"};
  // Passes codes through unchanged: right for Flatten alone.
  FakeEngine engine(0, {}, {.run = [](std::span<const Tensor> inputs) {
                      return std::vector<Tensor>(inputs.begin(), inputs.end());
                    }});
  request.open = [&](std::string_view) -> Engine& { return engine; };
  const auto results = check_operators(request);
  ASSERT_THAT(results, SizeIs(5));
  EXPECT_FALSE(results.front().passed());
  int failed = 0;
  for (const OperatorDifference& result : results) failed += result.passed() ? 0 : 1;
  EXPECT_GE(failed, 4);
}

TEST(OperatorCheck, AFailingEngineIsAValue) {
  const std::string bytes = onnx::encode(quantized_net());
  OperatorCheckRequest request = request_for(bytes);
  request.engines = {"nowhere"};
  const auto results = check_operators(request);
  ASSERT_THAT(results, SizeIs(5));
  EXPECT_THAT(results.front().failure, HasSubstr("unknown engine: got 'nowhere'"));
  EXPECT_FALSE(results.front().passed());
}

TEST(OperatorCheck, RefusesAnUnreadableFile) {
  kit::expect_user_error([] { (void)check_operators({.quantized_model = "x"}); }, "the INT8 file");
}

}  // namespace
}  // namespace espalier::deploy
