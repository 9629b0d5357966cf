#include "espalier/recipe/model_yaml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/recipe/map_reader.h"

namespace espalier::recipe {

namespace fs = std::filesystem;

namespace {

void check_family(const std::string& name, const YamlValue& place) {
  std::vector<std::string> known;
  for (const zoo::Family& family : zoo::families()) known.emplace_back(family.name);
  if (std::ranges::find(known, name) != known.end()) return;
  throw base::UserError({.what = "unknown model of the zoo",
                         .where = place.where(),
                         .got = fmt::format("'{}'", name),
                         .hint = base::suggest_name(name, known)});
}

}  // namespace

fs::path resolve_path(const std::string& written, const fs::path& folder) {
  const fs::path path(written);
  if (path.is_absolute() || fs::exists(path)) return path;
  return fs::exists(folder / path) ? folder / path : path;
}

ModelConfig parse_model(const YamlValue& map, std::uint64_t seed, const fs::path& folder) {
  MapReader reader(map, "'model'");
  ModelConfig model;
  const std::string zoo_name = reader.text("zoo", "");
  const std::string file = reader.text("onnx", "");
  if (zoo_name.empty() == file.empty()) {
    throw base::UserError(
        {.what = "'model' needs one of the keys 'zoo' and 'onnx'", .where = map.where()});
  }
  if (!file.empty()) {
    model.source = ModelFile{.path = resolve_path(file, folder)};
  } else {
    check_family(zoo_name, *map.find("zoo"));
    static constexpr std::array<std::string_view, 2> kStems{"imagenet", "cifar"};
    const zoo::Stem stem = reader.choice("stem", kStems, kStems[0]) == kStems[1]
                               ? zoo::Stem::Cifar
                               : zoo::Stem::ImageNet;
    const MapReader::IntegerRange sizes{.low = 1, .high = 1'000'000};
    model.source =
        ZooModel{.name = zoo_name,
                 .options = {.classes = reader.integer("classes", 0, sizes),
                             .scale = reader.number("scale", 1.0, {.low = 0.01, .high = 16}),
                             .image_size = reader.integer("image_size", 0, sizes),
                             .channels = reader.integer("channels", 0, sizes),

                             .seed = seed,
                             .stem = stem}};
  }
  const std::string weights = reader.text("weights", "");
  if (!weights.empty()) model.weights = resolve_path(weights, folder);
  reader.finish();
  return model;
}

}  // namespace espalier::recipe
