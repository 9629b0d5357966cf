#pragma once

#include <filesystem>

#include "espalier/exec/kernels/cuda/api.h"

namespace espalier::exec::cuda {

/// Opens a module by its path. Throws UnsupportedError that says what is missing, when the file or
/// the driver is absent or another build made it.
[[nodiscard]] const Module& open_module(const std::filesystem::path& file);

/// libespalier_cuda.so beside the program, opened once; null, with one warning, where it cannot be:
/// operators of libtorch then do its work, slower.
[[nodiscard]] const Module* find_module();

}  // namespace espalier::exec::cuda
