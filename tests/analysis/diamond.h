#pragma once

#include "espalier/ir/graph.h"

namespace espalier::analysis_test {

/// x [N, 2] -> stem Relu -> left Neg, right Gemm with the 2x2 weight w -> join Add, the output;
/// also an initializer "unused". Every node gives the value of its name.
[[nodiscard]] ir::Graph diamond();

}  // namespace espalier::analysis_test
