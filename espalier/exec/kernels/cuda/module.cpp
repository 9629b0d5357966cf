#include "espalier/exec/kernels/cuda/module.h"

#include <dlfcn.h>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/process/child.h"

namespace espalier::exec::cuda {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, std::string got) {
  throw base::UnsupportedError({.what = "cannot open the module of CUDA kernels",
                                .where = fmt::format("module '{}'", file.string()),
                                .got = std::move(got),
                                .hint = "build it with 'make build' where nvcc is"});
}

const Module* open_beside_program() {
  try {
    return &open_module(process::own_program().parent_path() / "libespalier_cuda.so");
  } catch (const base::UnsupportedError& error) {
    base::log_warning("quantizers train in operators of libtorch on this device: {}", error.what());
    return nullptr;
  }
}

}  // namespace

const Module& open_module(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) fail(file, "no such file");
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    fail(file, reason == nullptr ? "unknown reason" : reason);
  }
  using Entry = const Module* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, kSymbol));
  const Module* module = entry == nullptr ? nullptr : entry();
  if (module == nullptr || std::string_view(module->abi) != kAbi) {
    std::string got = module == nullptr ? "a library that is no such module"
                                        : fmt::format("'{}', expected '{}'", module->abi, kAbi);
    ::dlclose(library);
    fail(file, std::move(got));
  }
  return *module;
}

const Module* find_module() {
  static const Module* const module = open_beside_program();
  return module;
}

}  // namespace espalier::exec::cuda
