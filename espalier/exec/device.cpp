#include "espalier/exec/device.h"

#include <dlfcn.h>

#include <ATen/Context.h>
#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::exec {
namespace {

void open_cuda() {
  static void* const library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    throw base::UnsupportedError(
        {.what = "cannot use the device 'cuda': libtorch's CUDA library does not open",
         .got = reason == nullptr ? "" : reason,
         .hint = "install libtorch's CUDA libraries, or use the device 'cpu'"});
  }
}

}  // namespace

void require_device(at::Device device) {
  if (device.is_cpu()) return;
  if (!device.is_cuda()) {
    throw base::UnsupportedError({.what = "cannot use the device",
                                  .got = "'" + device.str() + "'",
                                  .expected = "'cpu' or 'cuda'"});
  }
  open_cuda();
  const std::size_t count = at::getNumGPUs();
  const std::size_t wanted = device.has_index() ? static_cast<std::size_t>(device.index()) : 0;
  if (wanted >= count) {
    throw base::UnsupportedError(
        {.what = fmt::format("cannot use the device '{}'", device.str()),
         .got = fmt::format("{} CUDA devices", count),
         .hint = "check the driver with nvidia-smi, or use the device 'cpu'"});
  }
}

}  // namespace espalier::exec
