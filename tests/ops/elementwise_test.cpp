#include <cmath>

#include <gtest/gtest.h>

#include "espalier/ops/families.h"
#include "tests/ops/scalar_function.h"

namespace espalier::ops {
namespace {

TEST(Elementwise, FactsHoldForTheDefinitions) {
  const std::vector<ScalarFunction> functions{
      {"Abs", [](double x) { return std::abs(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Log", [](double x) { return std::log(x); }, 0.001},
      {"Sqrt", [](double x) { return std::sqrt(x); }, 0},
      {"Reciprocal", [](double x) { return 1 / x; }, 0.001},
      {"Sign", [](double x) { return x > 0 ? 1.0 : (x < 0 ? -1.0 : 0.0); }},
      {"Floor", [](double x) { return std::floor(x); }},
      {"Ceil", [](double x) { return std::ceil(x); }},
      {"Round", [](double x) { return std::nearbyint(x); }},
      {"Erf", [](double x) { return std::erf(x); }},
      {"Sin", [](double x) { return std::sin(x); }},
      {"Cos", [](double x) { return std::cos(x); }},
      {"Asin", [](double x) { return std::asin(x); }, -1, 1},
      {"Acos", [](double x) { return std::acos(x); }, -1, 1},
      {"Atan", [](double x) { return std::atan(x); }},
      {"Sinh", [](double x) { return std::sinh(x); }},
      {"Cosh", [](double x) { return std::cosh(x); }},
      {"Asinh", [](double x) { return std::asinh(x); }},
      {"Acosh", [](double x) { return std::acosh(x); }, 1},
      {"Atanh", [](double x) { return std::atanh(x); }, -0.99, 0.99},
      {"Identity", [](double x) { return x; }},
  };
  for (const ScalarFunction& entry : functions) expect_facts_hold(entry);
}

TEST(Elementwise, BinaryOperatorsTakeTwoActivationsOrMore) {
  for (const OpFacts& facts : elementwise_family()) {
    if (facts.kind != OpKind::Binary) continue;
    EXPECT_TRUE(facts.data == kAllPorts || contains(facts.data, 1)) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
