#include "espalier/recipe/data_yaml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/recipe/map_reader.h"

namespace espalier::recipe {
namespace {

using Kind = YamlValue::Kind;

/// The narrowest type that a scalar's text has.
data::Parameter scalar_parameter(const YamlValue& value) {
  const std::string& text = value.scalar;
  if (value.quoted) return text;
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  const char* end_of_text = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto [end, error] = std::from_chars(text.data(), end_of_text, integer);
      error == std::errc{} && end == end_of_text) {
    return integer;
  }
  double number = 0;
  if (const auto [end, error] = std::from_chars(text.data(), end_of_text, number);
      error == std::errc{} && end == end_of_text && std::isfinite(number)) {
    return number;
  }
  return text;
}

data::Parameter to_parameter(const YamlValue& value, std::string_view key) {
  if (value.kind == Kind::Scalar) return scalar_parameter(value);
  if (value.kind == Kind::List) {
    std::vector<double> numbers;
    for (const YamlValue& item : value.items) {
      numbers.push_back(read_number(item, key, -1e300, 1e300));
    }
    return numbers;
  }
  throw base::UserError({.what = fmt::format("bad value of '{}'", key),
                         .where = value.where(),
                         .got = value.describe(),
                         .expected = "a text, a number, true, false or a list of numbers"});
}

/// True for what no parameter of a data set can be.
bool is_nested(const YamlValue& value) {
  return value.kind == Kind::Map || std::ranges::any_of(value.items, [](const YamlValue& item) {
           return item.kind != Kind::Scalar;
         });
}

data::Parameters to_parameters(const YamlValue& map, std::string_view what) {
  data::Parameters parameters;
  if (map.kind == Kind::Null) return parameters;
  if (map.kind != Kind::Map) {
    throw base::UserError({.what = fmt::format("bad value of '{}'", what),
                           .where = map.where(),
                           .got = map.describe(),
                           .expected = "a map of keys"});
  }
  for (const auto& [key, value] : map.entries) {
    if (value.kind != Kind::Null) parameters[key] = to_parameter(value, key);
  }
  return parameters;
}

/// `- DecodeImage: {to_rgb: true}` or `- ToCHWImage`.
data::TransformConfig parse_transform(const YamlValue& value) {
  if (value.kind == Kind::Scalar) return {.name = value.scalar, .where = value.where()};
  if (value.kind == Kind::Map && value.entries.size() == 1) {
    const auto& [name, parameters] = value.entries.front();
    return {.name = name,
            .parameters = to_parameters(parameters, name),
            .where = parameters.kind == Kind::Null ? value.where() : parameters.where()};
  }
  throw base::UserError({.what = "bad entry of 'transform_ops'",
                         .where = value.where(),
                         .got = value.describe(),
                         .expected = "one transform, '- Name: {key: value}'"});
}

std::vector<data::TransformConfig> parse_transforms(const YamlValue* list) {
  std::vector<data::TransformConfig> transforms;
  if (list == nullptr) return transforms;
  if (list->kind != Kind::List) {
    throw base::UserError({.what = "bad value of 'transform_ops'",
                           .where = list->where(),
                           .got = list->describe(),
                           .expected = "a list of transforms"});
  }
  for (const YamlValue& item : list->items) transforms.push_back(parse_transform(item));
  return transforms;
}

/// `held_out: {samples: 5000, seed: 1, part: rest}`.
data::PartConfig parse_part(const YamlValue& map) {
  MapReader reader(map, "'held_out'");
  static constexpr std::string_view kParts[] = {"rest", "held_out"};
  const YamlValue& samples = reader.require("samples");
  data::PartConfig part{
      .samples = read_integer(samples, "samples", 1, 1'000'000'000),
      .seed = static_cast<std::uint64_t>(reader.integer("seed", 0, {.low = 0, .high = INT64_MAX})),
      .held_out = reader.choice("part", kParts, "rest") == "held_out"};
  reader.finish();
  return part;
}

data::DatasetConfig parse_dataset(const YamlValue& block, const std::filesystem::path& folder) {
  MapReader reader(block, "'dataset'");
  if (const YamlValue* batch = reader.find("batch_transform_ops"); batch != nullptr) {
    throw base::UnsupportedError({.what = "batch_transform_ops are not supported",
                                  .where = batch->where(),
                                  .hint = "remove them: Mixup, Cutmix and their like come with "
                                          "the classification recipes"});
  }
  data::DatasetConfig config{.name = read_text(reader.require("name"), "name"),
                             .transforms = parse_transforms(reader.find("transform_ops")),
                             .folder = folder,
                             .where = block.where()};
  if (const YamlValue* part = reader.find("held_out")) config.part = parse_part(*part);
  static const std::vector<std::string> own_keys{"name", "transform_ops", "held_out"};
  for (const auto& [key, value] : block.entries) {
    const bool read = std::ranges::find(own_keys, key) != own_keys.end();
    if (read || value.kind == Kind::Null) continue;
    const std::string nearest = base::nearest_name(key, own_keys);
    if (!nearest.empty() && is_nested(value)) {
      throw base::UserError({.what = fmt::format("unknown key '{}' in 'dataset'", key),
                             .where = value.where(),
                             .hint = fmt::format("did you mean '{}'", nearest)});
    }
    config.parameters[key] = to_parameter(value, key);
  }
  return config;
}

data::SamplerConfig parse_sampler(const YamlValue* block) {
  data::SamplerConfig config;
  if (block == nullptr) return config;
  MapReader reader(*block, "'sampler'");
  static constexpr std::string_view kNames[] = {"DistributedBatchSampler", "BatchSampler"};
  static_cast<void>(reader.choice("name", kNames, kNames[1]));
  config.batch_size = reader.integer("batch_size", config.batch_size, {.low = 1, .high = 65536});
  config.shuffle = reader.flag("shuffle", config.shuffle);
  config.drop_last = reader.flag("drop_last", config.drop_last);
  reader.finish();
  return config;
}

data::LoaderConfig parse_loader(const YamlValue* block) {
  data::LoaderConfig config;
  if (block == nullptr) return config;
  MapReader reader(*block, "'loader'");
  config.num_workers = reader.integer("num_workers", config.num_workers, {.low = 0, .high = 256});
  config.prefetch_batches =
      reader.integer("prefetch_batches", config.prefetch_batches, {.low = 1, .high = 64});
  // Workers are threads here: memory is shared whatever PaddleClas's key says.
  static_cast<void>(reader.flag("use_shared_memory", true));
  static constexpr std::string_view kPolicies[] = {"error", "skip"};
  config.bad_samples = reader.choice("bad_samples", kPolicies, "error") == "skip"
                           ? data::BadSamples::Skip
                           : data::BadSamples::Error;
  reader.finish();
  return config;
}

data::DataConfig parse_block(const YamlValue& block, const std::filesystem::path& folder) {
  MapReader reader(block, "the data block");
  if (reader.find("type") != nullptr || reader.find("dataset_root") != nullptr) {
    throw base::UnsupportedError({.what = "PaddleSeg data blocks are not supported",
                                  .where = block.where(),
                                  .hint = "describe a classification data set with 'dataset: "
                                          "{name: ImageNetDataset, ...}'"});
  }
  data::DataConfig config{.dataset = parse_dataset(reader.require("dataset"), folder),
                          .sampler = parse_sampler(reader.find("sampler")),
                          .loader = parse_loader(reader.find("loader"))};
  reader.finish();
  return config;
}

/// `names`: of the splits to train on, to evaluate on and to judge on.
void read_splits(MapReader& reader, const std::array<std::string_view, 3>& names,
                 const std::filesystem::path& folder, DataSplits& splits) {
  if (const YamlValue* block = reader.find(names[0])) splits.train = parse_block(*block, folder);
  if (const YamlValue* block = reader.find(names[1])) splits.eval = parse_block(*block, folder);
  if (const YamlValue* block = reader.find(names[2])) splits.test = parse_block(*block, folder);
  reader.finish();
}

const data::DataConfig& pick(const std::optional<data::DataConfig>& wanted,
                             const DataSplits& splits, std::string_view name) {
  if (wanted) return *wanted;
  if (splits.only) return *splits.only;
  throw base::UserError(
      {.what = fmt::format("the data has no split '{}'", name),
       .where = splits.source,
       .hint = fmt::format("add '{}:', or under 'DataLoader:' the same with a capital", name)});
}

}  // namespace

const data::DataConfig& DataSplits::for_training() const {
  return pick(train, *this, "train");
}

const data::DataConfig& DataSplits::for_evaluation() const {
  return pick(eval, *this, "eval");
}

const data::DataConfig& DataSplits::for_judging() const {
  return test ? *test : for_evaluation();
}

DataSplits parse_data(const YamlValue& document, const std::filesystem::path& folder) {
  DataSplits splits;
  splits.source = document.where();
  const auto has = [&](const char* key) { return document.find(key) != nullptr; };
  MapReader reader(document, "the data file");
  if (has("DataLoader")) {
    MapReader loader(reader.require("DataLoader"), "'DataLoader'");
    read_splits(loader, {"Train", "Eval", "Test"}, folder, splits);
  } else if (has("train") || has("eval") || has("test")) {
    read_splits(reader, {"train", "eval", "test"}, folder, splits);
  } else {
    splits.only = parse_block(document, folder);
    return splits;
  }
  reader.finish();
  return splits;
}

DataSplits load_data(const std::filesystem::path& file) {
  return parse_data(load_yaml(file), file.parent_path());
}

}  // namespace espalier::recipe
