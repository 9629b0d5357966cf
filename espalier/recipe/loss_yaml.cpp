#include "espalier/recipe/loss_yaml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/recipe/choice.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/model_yaml.h"

namespace espalier::recipe {
namespace {

using Kind = LossConfig::Kind;

constexpr MapReader::NumberRange kTemperatures{.low = 1e-3, .high = 1e3};

/// A row reads the keys of its term beside `weight`.
struct Row {
  std::string_view name;
  Kind kind;
  void (*read)(MapReader& reader, LossConfig& loss);
};

void read_cross_entropy(MapReader& reader, LossConfig& loss) {
  loss.smoothing = reader.number("smoothing", 0, {.low = 0, .high = 0.999});
}

void read_divergence(MapReader& reader, LossConfig& loss) {
  loss.temperature = reader.number("temperature", loss.temperature, kTemperatures);
}

void read_soft_label(MapReader& reader, LossConfig& loss) {
  loss.temperatures = {.student = reader.number("student_temperature", 1, kTemperatures),
                       .teacher = reader.number("teacher_temperature", 1, kTemperatures)};
}

/// Value names of student and teacher, which may be left out when they are the student's.
void read_values(MapReader& reader, LossConfig& loss, std::size_t count) {
  const auto names = [&](std::string_view key) {
    const YamlValue* value = reader.find(key);
    std::vector<std::string> list;
    if (value == nullptr) return list;
    if (value->kind == YamlValue::Kind::Scalar) {
      list.push_back(read_text(*value, key));
    } else {
      list = reader.texts(key);
    }
    if (list.size() == count) return list;
    throw base::UserError({.what = fmt::format("bad value of '{}'", key),
                           .where = value->where(),
                           .got = fmt::format("{} names", list.size()),
                           .expected = count == 1 ? "the name of a value" : "[first, second]"});
  };
  static_cast<void>(reader.require("student"));
  loss.student = names("student");
  loss.teacher = names("teacher");
  if (loss.teacher.empty()) loss.teacher = loss.student;
}

void read_feature(MapReader& reader, LossConfig& loss) {
  read_values(reader, loss, 1);
}

void read_flow(MapReader& reader, LossConfig& loss) {
  read_values(reader, loss, 2);
}

/// Every term there is.
constexpr std::array kRows{Row{"cross_entropy", Kind::CrossEntropy, &read_cross_entropy},
                           Row{"distil_kl", Kind::Divergence, &read_divergence},
                           Row{"distil_soft_label", Kind::SoftLabel, &read_soft_label},
                           Row{"distil_l2", Kind::Feature, &read_feature},
                           Row{"distil_fsp", Kind::Flow, &read_flow}};

LossConfig parse_loss(const YamlValue& item) {
  const Choice choice = single_entry(item, "loss");
  const auto row = std::ranges::find(kRows, choice.name, &Row::name);
  if (row == kRows.end()) {
    std::vector<std::string> known;
    for (const Row& one : kRows) known.emplace_back(one.name);
    refuse_choice("loss", choice, known);
  }
  LossConfig loss{.kind = row->kind};
  YamlValue empty = choice.value;
  if (empty.kind == YamlValue::Kind::Null) empty.kind = YamlValue::Kind::Map;
  MapReader reader(empty, fmt::format("loss '{}'", choice.name));
  loss.weight = reader.number("weight", 1, {.low = 0, .high = 1e6});
  row->read(reader, loss);
  reader.finish();
  return loss;
}

}  // namespace

std::vector<LossConfig> parse_losses(const YamlValue& list) {
  std::vector<LossConfig> losses;
  for (const YamlValue& item : read_items(list, "loss")) losses.push_back(parse_loss(item));
  if (losses.empty()) {
    throw base::UserError({.what = "bad value of 'loss'",
                           .where = list.where(),
                           .got = list.describe(),
                           .expected = "a list such as [{cross_entropy: {}}]"});
  }
  return losses;
}

bool needs_teacher(const std::vector<LossConfig>& losses) {
  return std::ranges::any_of(
      losses, [](const LossConfig& loss) { return loss.kind != Kind::CrossEntropy; });
}

TeacherConfig parse_teacher(const YamlValue& value, const Recipe& recipe) {
  if (value.kind == YamlValue::Kind::Map) return parse_model(value, recipe.seed, recipe.folder);
  if (value.kind == YamlValue::Kind::Scalar && value.scalar == "self") return std::nullopt;
  throw base::UserError({.what = "bad value of 'teacher'",
                         .where = value.where(),
                         .got = value.describe(),
                         .expected = "'self' or a model such as {onnx: teacher.onnx}"});
}

}  // namespace espalier::recipe
