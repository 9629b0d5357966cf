#include "espalier/deploy/module_loader.h"

#include <dlfcn.h>
#include <system_error>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/deploy/modules/module.h"
#include "espalier/onnx/codec.h"

namespace espalier::deploy {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(std::string_view name, const fs::path& file, std::string got,
                       std::string hint) {
  throw base::UnsupportedError({.what = fmt::format("cannot open the engine '{}'", name),
                                .where = fmt::format("module '{}'", file.string()),
                                .got = std::move(got),
                                .hint = std::move(hint)});
}

/// oneTBB (inside OpenVINO) opens its own helper with RTLD_DEEPBIND, at which AddressSanitizer ends
/// the process; this variable is oneTBB's switch for that.
void prepare_for_sanitizer() {
#if defined(__SANITIZE_ADDRESS__)
  ::setenv("TBB_ENABLE_SANITIZERS", "1", /*overwrite=*/0);
#endif
}

template <typename Function>
Function find_symbol(void* module, const char* symbol) {
  return reinterpret_cast<Function>(::dlsym(module, symbol));
}

}  // namespace

fs::path module_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::current_path() : program.parent_path();
}

Engine& open_module(const fs::path& file, std::string_view name) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    fail(name, file, "no such file", "build it with 'make build'; it belongs beside the program");
  }
  prepare_for_sanitizer();
  void* module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    const char* reason = ::dlerror();
    fail(name, file, reason == nullptr ? "unknown reason" : reason,
         "a library that the module needs is missing: run tools/setup again");
  }
  const auto abi = find_symbol<ModuleAbi>(module, "espalier_engine_abi");
  const auto create = find_symbol<CreateEngine>(module, "espalier_create_engine");
  if (abi == nullptr || create == nullptr) {
    ::dlclose(module);
    fail(name, file, "a library that is not an engine module", "build it with 'make build'");
  }
  if (std::string_view(abi()) != kModuleAbi) {
    const std::string found = abi();
    ::dlclose(module);
    fail(name, file, fmt::format("'{}'", found),
         fmt::format("this program needs '{}': build both with 'make build'", kModuleAbi));
  }
  return *create({.decode = [](std::string_view bytes) {
    return onnx::decode(bytes, {.name = "optimized model", .infer_shapes = false});
  }});
}

}  // namespace espalier::deploy
