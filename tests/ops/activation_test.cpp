#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "espalier/ops/families.h"
#include "tests/ops/scalar_function.h"

namespace espalier::ops {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double softplus(double x) {
  return std::log1p(std::exp(x));
}

TEST(Activation, FactsHoldForTheDefinitions) {
  const std::vector<ScalarFunction> functions{
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"LeakyRelu", [](double x) { return x < 0 ? 0.01 * x : x; }},
      {"Elu", [](double x) { return x < 0 ? std::expm1(x) : x; }},
      {"Selu", [](double x) { return 1.0507 * (x <= 0 ? 1.6733 * std::expm1(x) : x); }},
      {"Celu", [](double x) { return std::max(0.0, x) + std::min(0.0, std::expm1(x)); }},
      {"Gelu", [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"Mish", [](double x) { return x * std::tanh(softplus(x)); }},
      {"HardSwish", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
      {"HardSigmoid", [](double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); }},
      {"Sigmoid", sigmoid},
      {"Tanh", [](double x) { return std::tanh(x); }},
      {"Softplus", softplus},
      {"Softsign", [](double x) { return x / (1 + std::abs(x)); }},
  };
  for (const ScalarFunction& entry : functions) expect_facts_hold(entry);
}

TEST(Activation, EveryRowIsAnActivation) {
  for (const OpFacts& facts : activation_family()) {
    EXPECT_EQ(facts.kind, OpKind::Activation) << facts.name;
    EXPECT_FALSE(facts.passes_values) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
