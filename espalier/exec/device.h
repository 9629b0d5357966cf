#pragma once

#include <c10/core/Device.h>

namespace espalier::exec {

/// Makes a device usable. For CUDA, opens libtorch's CUDA library on first use.
/// Throws UnsupportedError when the library or a GPU is missing, or for any other kind of device.
void require_device(at::Device device);

}  // namespace espalier::exec
