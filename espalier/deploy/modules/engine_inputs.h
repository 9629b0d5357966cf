#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/tensor/dtype.h"
#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

/// An input as the engine declares it; unknown sizes are negative.
struct EngineInput {
  std::string name;
  tensor::DType dtype = tensor::DType::Other;
  std::vector<std::int64_t> sizes = {};
};

/// The tensors as an engine can read them: on the CPU, contiguous. Throws UserError, naming engine
/// and input, when the count, an element type, the rank or a known size differs.
[[nodiscard]] std::vector<Tensor> fit_inputs(std::string_view engine,
                                             std::span<const EngineInput> declared,
                                             std::span<const Tensor> given);

}  // namespace espalier::deploy
