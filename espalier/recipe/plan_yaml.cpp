#include "espalier/recipe/plan_yaml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/quant/target.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {
namespace {

using Entries = std::vector<std::pair<std::string, YamlValue>>;

constexpr int kPlanVersion = 1;
constexpr double kAnyNumber = std::numeric_limits<double>::max();
constexpr std::int64_t kAnyInteger = std::numeric_limits<std::int32_t>::max();

// --- writing ---------------------------------------------------------------------------------

/// The shortest digits that read back as the same float through a double.
YamlValue float_number(float number) {
  std::string text = fmt::format("{}", number);
  double read = 0;
  std::from_chars(text.data(), text.data() + text.size(), read);
  if (static_cast<float>(read) != number) text = fmt::format("{}", static_cast<double>(number));
  return yaml_text(std::move(text));
}

template <typename Item, typename Convert>
YamlValue list_of(const std::vector<Item>& items, const Convert& convert) {
  std::vector<YamlValue> list;
  list.reserve(items.size());
  for (const Item& item : items) list.push_back(convert(item));
  return yaml_list(std::move(list));
}

YamlValue params_map(const tensor::QuantParams& params) {
  Entries entries{{"bits", yaml_integer(params.grid.bits)},
                  {"signed", yaml_flag(params.grid.is_signed)}};
  if (params.grid.narrow) entries.emplace_back("narrow", yaml_flag(true));
  if (params.grid.reduced) entries.emplace_back("reduced", yaml_flag(true));
  if (params.per_channel()) entries.emplace_back("axis", yaml_integer(params.axis));
  entries.emplace_back("scale", list_of(params.scale, float_number));
  const bool all_zero =
      std::ranges::all_of(params.zero_point, [](std::int32_t zero) { return zero == 0; });
  if (!all_zero) {
    entries.emplace_back(
        "zero_point", list_of(params.zero_point, [](std::int32_t z) { return yaml_integer(z); }));
  }
  return yaml_map(std::move(entries));
}

/// Figures of the calibration, in the file's order.
struct CalibratedKey {
  const char* key;
  std::optional<double> quant::ActivationPlan::*figure;
  double low = -kAnyNumber;
  double high = kAnyNumber;
};
constexpr std::array<CalibratedKey, 4> kCalibrated = {
    {{"observed_low", &quant::ActivationPlan::observed_low},
     {"observed_high", &quant::ActivationPlan::observed_high},
     {"sqnr_db", &quant::ActivationPlan::sqnr_db},
     {"clipped", &quant::ActivationPlan::clipped, 0, 1}}};

YamlValue activation_map(const std::string& name, const quant::ActivationPlan& plan) {
  Entries entries{{"value", yaml_quoted(name)},
                  {"params", params_map(plan.params)},
                  {"method", yaml_text(plan.method)},
                  {"low", yaml_number(plan.low)},
                  {"high", yaml_number(plan.high)}};
  for (const CalibratedKey& row : kCalibrated) {
    if (plan.*row.figure) entries.emplace_back(row.key, yaml_number(*(plan.*row.figure)));
  }
  return yaml_map(std::move(entries));
}

/// Three roundings a letter, first one lowest.
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzA";
constexpr std::size_t kPerLetter = 3;

std::string rounding_text(const std::vector<std::int8_t>& rounding) {
  std::string text;
  text.reserve(rounding.size() / kPerLetter + 1);
  for (std::size_t first = 0; first < rounding.size(); first += kPerLetter) {
    std::size_t letter = 0;
    for (std::size_t part = kPerLetter; part > 0; --part) {
      const std::size_t index = first + part - 1;
      const int move = index < rounding.size() ? rounding[index] : -1;
      letter = letter * 3 + static_cast<std::size_t>(move + 1);
    }
    text += kLetters[letter];
  }
  return text;
}

YamlValue weight_map(const std::string& name, const quant::WeightPlan& plan) {
  Entries entries{{"initializer", yaml_quoted(name)}, {"params", params_map(plan.params)}};
  if (plan.sqnr_db) entries.emplace_back("sqnr_db", yaml_number(*plan.sqnr_db));
  entries.emplace_back("channels_at_limit", yaml_integer(plan.channels_at_limit));
  if (!plan.method.empty()) entries.emplace_back("method", yaml_text(plan.method));
  if (!plan.rounding.empty()) {
    entries.emplace_back("elements", yaml_integer(static_cast<std::int64_t>(plan.rounding.size())));
    entries.emplace_back("rounding", yaml_quoted(rounding_text(plan.rounding)));
  }
  return yaml_map(std::move(entries));
}

// --- reading ---------------------------------------------------------------------------------

double number_of(MapReader& reader, std::string_view key) {
  return reader.number(key, 0.0, {.low = -kAnyNumber, .high = kAnyNumber});
}

/// Items of a list of maps. A plan has every list, empty or not: a file that was cut off lacks
/// some.
/// Entries of a list; none where the key is missing, which parse_plan refuses in the end.
void check_params(const tensor::QuantParams& params, const YamlValue& place) {
  if (params.scale.empty()) refuse_value(place, "bad 'params'", "no scale", "at least one");
  if (params.scale.size() != params.zero_point.size()) {
    refuse_value(
        place, "bad 'params'",
        fmt::format("{} scales and {} zero points", params.scale.size(), params.zero_point.size()),
        "as many zero points as scales");
  }
  if (!params.per_channel() && params.scale.size() != 1) {
    refuse_value(place, "bad 'params'",
                 fmt::format("{} scales without an axis", params.scale.size()),
                 "one scale, or an axis");
  }
  for (const float scale : params.scale) {
    // Engines flush subnormal numbers to zero, and x / 0 is no code.
    if (std::isnormal(scale) && scale > 0) continue;
    refuse_value(place, "bad 'params'", fmt::format("scale {}", scale),
                 "a positive normal float32");
  }
  for (const std::int32_t zero : params.zero_point) {
    if (zero >= params.grid.qmin() && zero <= params.grid.qmax()) continue;
    refuse_value(place, "bad 'params'", fmt::format("zero point {}", zero),
                 fmt::format("{}..{}", params.grid.qmin(), params.grid.qmax()));
  }
}

tensor::QuantParams read_params(const YamlValue& value) {
  MapReader reader(value, "'params'");
  tensor::QuantParams params;
  params.grid.bits = static_cast<int>(reader.integer("bits", 8, {.low = 2, .high = 16}));
  params.grid.is_signed = reader.flag("signed", false);
  params.grid.narrow = reader.flag("narrow", false);
  params.grid.reduced = reader.flag("reduced", false);
  params.axis = static_cast<int>(reader.integer("axis", -1, {.low = -1, .high = 7}));
  for (const double scale : reader.numbers("scale", {})) {
    params.scale.push_back(static_cast<float>(scale));
  }
  if (const YamlValue* zeros = reader.find("zero_point")) {
    if (zeros->kind != YamlValue::Kind::List) {
      refuse_value(*zeros, "bad value of 'zero_point'", zeros->describe(), "a list of integers");
    }
    for (const YamlValue& zero : zeros->items) {
      params.zero_point.push_back(
          static_cast<std::int32_t>(read_integer(zero, "zero_point", -kAnyInteger, kAnyInteger)));
    }
  } else {
    params.zero_point.assign(params.scale.size(), 0);
  }
  reader.finish();
  check_params(params, value);
  return params;
}

void read_activations(MapReader& reader, quant::QuantPlan& plan) {
  for (const YamlValue& item : reader.items("activations")) {
    MapReader entry(item, "an entry of 'activations'");
    const std::string name = read_text(entry.require("value"), "value");
    quant::ActivationPlan activation;
    activation.params = read_params(entry.require("params"));
    activation.method = entry.text("method", "");
    activation.low = number_of(entry, "low");
    activation.high = number_of(entry, "high");
    for (const CalibratedKey& row : kCalibrated) {
      const YamlValue* value = entry.find(row.key);
      if (value != nullptr)
        activation.*row.figure = read_number(*value, row.key, row.low, row.high);
    }
    entry.finish();
    if (plan.activations.emplace(name, std::move(activation)).second) continue;
    refuse_value(item, "a value is listed twice in 'activations'", fmt::format("'{}'", name), "");
  }
}

std::vector<std::int8_t> read_rounding(MapReader& entry) {
  const auto elements =
      static_cast<std::size_t>(entry.integer("elements", 0, {.low = 0, .high = kAnyInteger}));
  const std::string text = entry.text("rounding", "");
  if (text.size() != (elements + kPerLetter - 1) / kPerLetter) {
    refuse_value(entry.map(), "bad value of 'rounding'", fmt::format("{} letters", text.size()),
                 fmt::format("one letter for three of {} elements", elements));
  }
  std::vector<std::int8_t> rounding;
  rounding.reserve(elements);
  for (const char letter : text) {
    std::size_t code = kLetters.find(letter);
    if (code == std::string_view::npos) {
      refuse_value(entry.map(), "bad value of 'rounding'", fmt::format("'{}'", letter), "a-z or A");
    }
    for (std::size_t part = 0; part < kPerLetter && rounding.size() < elements; ++part) {
      rounding.push_back(static_cast<std::int8_t>(static_cast<int>(code % 3) - 1));
      code /= 3;
    }
  }
  return rounding;
}

void read_weights(MapReader& reader, quant::QuantPlan& plan) {
  for (const YamlValue& item : reader.items("weights")) {
    MapReader entry(item, "an entry of 'weights'");
    const std::string name = read_text(entry.require("initializer"), "initializer");
    quant::WeightPlan weight;
    weight.params = read_params(entry.require("params"));
    weight.method = entry.text("method", "");
    if (entry.find("sqnr_db") != nullptr) weight.sqnr_db = number_of(entry, "sqnr_db");
    weight.channels_at_limit =
        static_cast<int>(entry.integer("channels_at_limit", 0, {.low = 0, .high = kAnyInteger}));
    weight.rounding = read_rounding(entry);
    entry.finish();
    if (plan.weights.emplace(name, std::move(weight)).second) continue;
    refuse_value(item, "an initializer is listed twice in 'weights'", fmt::format("'{}'", name),
                 "");
  }
}

void read_edges(MapReader& reader, quant::QuantPlan& plan) {
  for (const YamlValue& item : reader.items("edges")) {
    MapReader entry(item, "an entry of 'edges'");
    quant::EdgeKey edge;
    edge.node = entry.text("node", "");
    const bool is_output = entry.find("output") != nullptr;
    const std::string_view key = is_output ? "output" : "input";
    edge.index = static_cast<std::size_t>(entry.integer(key, 0, {.low = 0, .high = kAnyInteger}));
    entry.finish();
    if (is_output != edge.node.empty()) {
      refuse_value(item, "bad entry of 'edges'", item.describe(),
                   "'node' and 'input', or 'output' alone");
    }
    plan.edges.push_back(std::move(edge));
  }
}

void read_biases(MapReader& reader, quant::QuantPlan& plan) {
  for (const YamlValue& item : reader.items("biases")) {
    MapReader entry(item, "an entry of 'biases'");
    const std::string node = read_text(entry.require("node"), "node");
    plan.biases[node] = read_text(entry.require("initializer"), "initializer");
    entry.finish();
  }
  for (const YamlValue& item : reader.items("bias_corrections")) {
    MapReader entry(item, "an entry of 'bias_corrections'");
    std::vector<float>& added =
        plan.bias_corrections[read_text(entry.require("initializer"), "initializer")];
    for (const double number : entry.numbers("add", {})) {
      added.push_back(static_cast<float>(number));
      if (!std::isfinite(added.back())) {
        refuse_value(item, "bad value of 'add'", fmt::format("{}", number), "float32 numbers");
      }
    }
    entry.finish();
  }
}

void read_float_nodes(MapReader& reader, quant::QuantPlan& plan) {
  for (const YamlValue& item : reader.items("float_nodes")) {
    MapReader entry(item, "an entry of 'float_nodes'");
    quant::FloatNode node;
    node.node = read_text(entry.require("node"), "node");
    node.op = entry.text("op", "");
    node.reason = entry.text("reason", "");
    node.asked = entry.flag("asked", false);
    entry.finish();
    plan.float_nodes.push_back(std::move(node));
  }
}

}  // namespace

std::string print_plan(const quant::QuantPlan& plan) {
  std::vector<YamlValue> activations;
  for (const auto& [name, entry] : plan.activations) {
    activations.push_back(activation_map(name, entry));
  }
  std::vector<YamlValue> weights;
  for (const auto& [name, entry] : plan.weights) weights.push_back(weight_map(name, entry));
  std::vector<YamlValue> biases;
  for (const auto& [node, bias] : plan.biases) {
    biases.push_back(yaml_map({{"node", yaml_quoted(node)}, {"initializer", yaml_quoted(bias)}}));
  }
  std::vector<YamlValue> corrections;
  for (const auto& [name, values] : plan.bias_corrections) {
    corrections.push_back(
        yaml_map({{"initializer", yaml_quoted(name)}, {"add", list_of(values, float_number)}}));
  }
  const auto edge_map = [](const quant::EdgeKey& edge) {
    const YamlValue index = yaml_integer(static_cast<std::int64_t>(edge.index));
    if (edge.node.empty()) return yaml_map({{"output", index}});
    return yaml_map({{"node", yaml_quoted(edge.node)}, {"input", index}});
  };
  const auto float_map = [](const quant::FloatNode& node) {
    YamlValue entry = yaml_map({{"node", yaml_quoted(node.node)},
                                {"op", yaml_quoted(node.op)},
                                {"reason", yaml_quoted(node.reason)}});
    if (node.asked) entry.entries.emplace_back("asked", yaml_text("true"));
    return entry;
  };
  return print_yaml(yaml_map({{"version", yaml_integer(plan.version)},
                              {"target", yaml_text(plan.target)},
                              {"model_id", yaml_quoted(plan.model_id)},
                              {"calibration", yaml_quoted(plan.calibration)},
                              {"activations", yaml_list(std::move(activations))},
                              {"edges", list_of(plan.edges, edge_map)},
                              {"weights", yaml_list(std::move(weights))},
                              {"biases", yaml_list(std::move(biases))},
                              {"bias_corrections", yaml_list(std::move(corrections))},
                              {"float_nodes", list_of(plan.float_nodes, float_map)}}));
}

namespace {

void check_target(const std::string& name, const YamlValue& place) {
  const std::vector<std::string> known = quant::target_names();
  if (std::ranges::find(known, name) != known.end()) return;
  refuse_value(place, "unknown target of a plan", fmt::format("'{}'", name),
               fmt::format("{}", fmt::join(known, ", ")));
}

}  // namespace

quant::QuantPlan parse_plan(std::string_view text, const std::string& source) {
  const YamlValue document = parse_yaml(text, source);
  MapReader reader(document, "the quantization plan");
  quant::QuantPlan plan;
  plan.version = static_cast<int>(
      read_integer(reader.require("version"), "version", kPlanVersion, kPlanVersion));
  plan.target = reader.text("target", "");
  if (!plan.target.empty()) check_target(plan.target, document);
  plan.model_id = reader.text("model_id", "");
  plan.calibration = reader.text("calibration", "");
  read_activations(reader, plan);
  read_edges(reader, plan);
  read_weights(reader, plan);
  read_biases(reader, plan);
  read_float_nodes(reader, plan);
  reader.finish();
  for (const char* key :
       {"activations", "edges", "weights", "biases", "bias_corrections", "float_nodes"}) {
    static_cast<void>(reader.require(key));
  }
  return plan;
}

quant::QuantPlan load_plan(const std::filesystem::path& path) {
  return parse_plan(base::read_file(path, kMaxYamlBytes), path.string());
}

}  // namespace espalier::recipe
