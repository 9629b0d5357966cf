#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "espalier/ops/facts.h"

namespace espalier::ops {

/// An operator and the function that its definition in the ONNX standard gives, with attributes at
/// their defaults.
struct ScalarFunction {
  std::string op;
  std::function<double(double)> function;
  double from = -20;
  double to = 20;
};

/// Walks over the domain and holds the operator's facts against the function.
inline void expect_facts_hold(const ScalarFunction& entry) {
  const OpFacts* facts = find(entry.op);
  ASSERT_NE(facts, nullptr) << entry.op;
  double before = entry.function(entry.from);
  bool rises = true;
  for (int step = 0; step <= 4000; ++step) {
    const double x = entry.from + (entry.to - entry.from) * step / 4000.0;
    const double y = entry.function(x);
    EXPECT_GE(y, facts->low) << entry.op << " at " << x;
    EXPECT_LE(y, facts->high) << entry.op << " at " << x;
    rises = rises && y >= before;
    before = y;
  }
  EXPECT_EQ(facts->monotonic, rises) << entry.op;
}

}  // namespace espalier::ops
