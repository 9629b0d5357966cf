#include "espalier/exec/kernels/quantizer_step.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "espalier/exec/kernels/trained_quantizer.h"
#include "tests/kit/tensors.h"

// What lies exactly at the end of a learned range: PACT (arXiv:1805.06085, eq. 3) and LSQ
// (arXiv:1902.08153, eq. 3 and 5) count it as beyond. Behind a Clip many values do.

namespace espalier::exec {
namespace {

struct LimitCase {
  std::string estimator;
  int bits = 8;
  float limit = 6;
  bool is_signed = false;
  at::ScalarType type = at::kFloat;
  bool rectify = false;
  double bound = 0;
};

std::ostream& operator<<(std::ostream& out, const LimitCase& row) {
  return out << row.estimator << " " << row.bits << " bits, limit " << row.limit << ", signed "
             << row.is_signed << ", " << c10::toString(row.type);
}

QuantizerSettings settings_of(const LimitCase& row) {
  const float half = std::ldexp(1.0F, row.bits - 1);
  const auto rows = estimator_rows();
  return {.qmin = row.is_signed ? 1 - half : 0,
          .qmax = (row.is_signed ? half : 2 * half) - 1,
          .estimator = &*std::ranges::find(rows, row.estimator, &EstimatorRow::name),
          .bound = row.bound};
}

QuantizerTensors tensors_of(const LimitCase& row, const QuantizerSettings& settings) {
  QuantizerTensors tensors{.scale = at::full({1}, row.limit / settings.qmax),
                           .zero_point = at::full({1}, 0.0F),
                           .state = {}};
  if (row.estimator == "pact") tensors.state = at::full({1}, row.limit).set_requires_grad(true);
  if (row.estimator == "lsq_plus") tensors.state = at::full({1}, 0.0F).set_requires_grad(true);
  if (row.estimator == "moving_average_abs_max") tensors.state = kit::tensor_of({row.limit, 1});
  if (row.estimator.starts_with("lsq")) tensors.scale.set_requires_grad(true);
  return tensors;
}

/// Gradients of inputs [limit, limit / 3, limit, 0, -limit, ...] whose outputs have 1, 2, 3, ...
struct Found {
  std::vector<double> input;
  std::optional<double> scale;
  std::optional<double> state;
};

Found gradients_of(const LimitCase& row, float sign = 1) {
  const QuantizerSettings settings = settings_of(row);
  const QuantizerTensors tensors = tensors_of(row, settings);
  const Tensor input = kit::tensor_of({row.limit, row.limit / 3, row.limit, 0, -row.limit})
                           .to(row.type)
                           .set_requires_grad(true);
  const Tensor output = train_quantize(input, QuantizerStep(settings, tensors, {.training = true}),
                                       {.rectify = row.rectify})
                            .value;
  output.backward((at::arange(1, 6, at::kFloat) * sign).to(row.type));
  Found found{.input = kit::values_of(input.grad()), .scale = {}, .state = {}};
  const auto number = [](const Tensor& gradient) -> std::optional<double> {
    if (!gradient.defined()) return std::nullopt;
    return gradient.item<double>();
  };
  found.scale = number(tensors.scale.grad());
  if (tensors.state.defined()) found.state = number(tensors.state.grad());
  return found;
}

std::vector<LimitCase> limits_of(const std::string& estimator) {
  std::vector<LimitCase> cases;
  for (const int bits : {2, 3, 4, 5, 7, 8, 12, 16}) {
    for (const float limit : {6.0F, 1.0F, 0.7F, 2.3F, 1e-3F, 117.1F}) {
      for (const bool is_signed : {false, true}) {
        cases.push_back(
            {.estimator = estimator, .bits = bits, .limit = limit, .is_signed = is_signed});
        cases.push_back({.estimator = estimator,
                         .bits = bits,
                         .limit = limit,
                         .is_signed = is_signed,
                         .type = at::kDouble});
      }
    }
    cases.push_back({.estimator = estimator, .bits = bits, .type = at::kBFloat16});
    cases.push_back({.estimator = estimator, .bits = bits, .rectify = true});
  }
  return cases;
}

TEST(LearnedLimit, IsBeyond) {
  for (const std::string estimator : {"pact", "lsq", "lsq_plus"}) {
    for (const LimitCase& row : limits_of(estimator)) {
      SCOPED_TRACE(testing::Message() << row);
      const Found found = gradients_of(row);
      EXPECT_EQ(found.input, (std::vector<double>{0, 2, 0, row.rectify ? 0.0 : 4.0, 0}));
      // 1 + 3 at the upper limit; 5 at the lower one, where there is a lower one that is not zero.
      if (estimator == "pact") {
        EXPECT_EQ(found.state, row.is_signed ? 4 - 5 : 4);
      } else {
        const double levels = settings_of(row).qmax;
        const double third = levels / 3;
        const double rounding = 2 * (std::nearbyint(third) - third);
        const double beyond = row.is_signed ? 4 - 5 : 4;
        const double factor =
            levels <= 15 ? 1 / std::sqrt(levels) : std::pow(15, 1.5) / (levels * levels);
        const double expected = (rounding + levels * beyond) * factor;
        // bfloat16 has the third of the limit to 8 bits only.
        const double tolerance = row.type == at::kBFloat16 ? 4 : 1e-4 * levels;
        EXPECT_NEAR(found.scale.value_or(0), expected, tolerance * factor);
      }
    }
  }
}

TEST(LearnedLimit, OfAnObservedRangeIsInside) {
  // Limits whose scales are powers of two, so that no rounding decides.
  LimitCase row{.estimator = "moving_average_abs_max", .limit = 255.0F / 64};
  EXPECT_EQ(gradients_of(row).input, (std::vector<double>{1, 2, 3, 4, 0}));
  row.rectify = true;
  EXPECT_EQ(gradients_of(row).input, (std::vector<double>{1, 2, 3, 0, 0}));
  row = {.estimator = "moving_average_abs_max", .limit = 127.0F / 64, .is_signed = true};
  EXPECT_EQ(gradients_of(row).input, (std::vector<double>{1, 2, 3, 4, 5}));
}

TEST(LearnedLimit, LeavesABoundOnlyInwards) {
  for (const std::string estimator : {"pact", "lsq", "lsq_plus"}) {
    const LimitCase row{.estimator = estimator, .bound = 6};
    const auto learned = [&](float sign) {
      const Found found = gradients_of(row, sign);
      return estimator == "pact" ? found.state.value_or(0) : found.scale.value_or(0);
    };
    EXPECT_GT(learned(1), 0.5) << estimator << ": a step against it narrows the range";
    EXPECT_EQ(learned(-1), 0) << estimator << ": it would reach beyond the Clip";
    LimitCase inner = row;
    inner.limit = 5;
    EXPECT_LT(gradients_of(inner, -1).input[0], 1e-30);
    const Found found = gradients_of(inner, -1);
    EXPECT_LT(estimator == "pact" ? found.state.value_or(0) : found.scale.value_or(0), -0.5)
        << estimator << ": within the bound it may widen";
  }
}

}  // namespace
}  // namespace espalier::exec
