#include "espalier/deploy/engine.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/deploy/module_loader.h"

namespace espalier::deploy {
namespace {

/// Engines opened so far. Modules cannot be closed again, so the process keeps one of each and
/// never destroys it: the engines' own threads may outlive static objects.
struct OpenEngines {
  std::mutex mutex;
  std::map<std::string, Engine*, std::less<>> by_name;
};

OpenEngines& open_engines() {
  static OpenEngines& engines = *new OpenEngines;
  return engines;
}

}  // namespace

std::vector<std::string> engine_names() {
  return {"onnxruntime", "openvino"};
}

void check_engine_names(const std::vector<std::string>& names) {
  const std::vector<std::string> known = engine_names();
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw base::UserError({.what = "unknown engine",
                           .got = fmt::format("'{}'", name),
                           .hint = base::suggest_name(name, known)});
  }
}

Engine& open_engine(std::string_view name) {
  check_engine_names({std::string(name)});
  OpenEngines& engines = open_engines();
  const std::scoped_lock lock(engines.mutex);
  const auto place = engines.by_name.find(name);
  if (place != engines.by_name.end()) return *place->second;
  Engine& engine = open_module(module_folder() / fmt::format("libespalier_{}.so", name), name);
  engines.by_name.emplace(name, &engine);
  return engine;
}

std::unique_ptr<EngineModel> load_named(Engine& engine, const std::string& name,
                                        std::string_view model, const EngineOptions& options) {
  try {
    return engine.load(model, options);
  } catch (const base::UserError& error) {
    throw base::UserError(fmt::format("'{}': {}", name, error.what()));
  }
}

}  // namespace espalier::deploy
