#include "espalier/recipe/yaml.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "espalier/base/check.h"
#include "espalier/base/file.h"

namespace espalier::recipe {
namespace {

using Kind = YamlValue::Kind;

[[noreturn]] void fail(const std::string& where, std::string got, std::string expected,
                       std::string hint = {}) {
  throw base::UserError({.what = "cannot read the YAML document",
                         .where = where,
                         .got = std::move(got),
                         .expected = std::move(expected),
                         .hint = std::move(hint)});
}

/// What the parser does not say about a line (counted from 0) that is indented with a tab.
std::string tab_hint(std::string_view text, int line) {
  for (; line > 0; --line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  const std::size_t start = text.find_first_not_of(' ');
  const bool tab = start != std::string_view::npos && text[start] == '\t';
  return tab ? "the line is indented with a tab: YAML wants spaces" : "";
}

/// Copies the parser's tree into ours, within the limits.
class Converter {
 public:
  explicit Converter(const std::string& source)
      : source_(std::make_shared<const std::string>(source)) {}

  YamlValue convert(const YAML::Node& node, int depth) {
    YamlValue value;
    value.line = node.Mark().line + 1;
    value.source = source_;
    if (depth > kMaxYamlDepth) fail(value.where(), too_deep(node), limit_text());
    above_.push_back(node);
    if (++count_ > kMaxYamlValues) fail(value.where(), "more values", limit_text());
    if (node.IsScalar()) {
      value.kind = Kind::Scalar;
      value.scalar = node.Scalar();
      value.quoted = node.Tag() == "!";
    } else if (node.IsSequence()) {
      value.kind = Kind::List;
      for (const YAML::Node& item : node) value.items.push_back(convert(item, depth + 1));
    } else if (node.IsMap()) {
      convert_map(node, depth, value);
    }
    above_.pop_back();
    return value;
  }

 private:
  void convert_map(const YAML::Node& node, int depth, YamlValue& value) {
    value.kind = Kind::Map;
    for (const auto& entry : node) {
      const std::string where = fmt::format("{}:{}", *source_, entry.first.Mark().line + 1);
      if (!entry.first.IsScalar()) fail(where, "a key that is not text", "text");
      const std::string& key = entry.first.Scalar();
      if (value.find(key) != nullptr) {
        fail(where, fmt::format("the key '{}' twice", key), "each key once");
      }
      value.entries.emplace_back(key, convert(entry.second, depth + 1));
    }
  }

  static std::string limit_text() {
    return fmt::format("at most {} levels and {} values", kMaxYamlDepth, kMaxYamlValues);
  }

  /// Why a node lies deep: an alias (`&a [*a]`) of something that holds it has no end.
  [[nodiscard]] std::string too_deep(const YAML::Node& node) const {
    const bool inside_itself =
        std::ranges::any_of(above_, [&](const YAML::Node& other) { return other.is(node); });
    return inside_itself ? "an alias of a value that holds it" : "deeper nesting";
  }

  std::shared_ptr<const std::string> source_;
  std::vector<YAML::Node> above_;  ///< the nodes under way, outermost first
  std::size_t count_ = 0;
};

/// Refuses flow nesting beyond the limit before the recursive parser sees it.
void check_flow_depth(std::string_view text, const std::string& source) {
  int depth = 0;
  int line = 1;
  for (const char character : text) {
    if (character == '\n') ++line;
    if (character == '[' || character == '{') ++depth;
    if (character == ']' || character == '}') depth = std::max(0, depth - 1);
    if (depth > 4 * kMaxYamlDepth) {
      fail(fmt::format("{}:{}", source, line), "deeper nesting",
           fmt::format("at most {} levels", kMaxYamlDepth));
    }
  }
}

/// Refuses lines that open more block levels than the limit ("- - - - x", "? ? ? x").
void check_block_depth(std::string_view text, const std::string& source) {
  int line = 1;
  int markers = 0;
  bool leading = true;
  for (const char character : text) {
    if (character == '\n') {
      ++line;
      markers = 0;
      leading = true;
    } else if (leading && (character == '-' || character == '?' || character == ':')) {
      if (++markers > kMaxYamlDepth) {
        fail(fmt::format("{}:{}", source, line), "deeper nesting",
             fmt::format("at most {} levels", kMaxYamlDepth));
      }
    } else if (character != ' ' && character != '\t') {
      leading = false;
    }
  }
}

bool needs_quotes(const YamlValue& value) {
  const std::string& text = value.scalar;
  if (value.quoted || text.empty()) return true;
  static constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-@";
  if (text.find_first_not_of(kSafe) != std::string::npos) return true;
  return text.front() == '-' && text.size() == 1;
}

std::string quote(const std::string& text) {
  std::string result = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    if (character == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(character) < 0x20) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(character));
    } else {
      result += character;
    }
  }
  return result + '"';
}

bool is_flat(const YamlValue& value) {
  return std::ranges::all_of(value.items,
                             [](const YamlValue& item) { return item.kind == Kind::Scalar; });
}

void print(const YamlValue& value, int indent, std::string& text);

void print_inline(const YamlValue& value, std::string& text) {
  if (value.kind == Kind::Null) text += " null";
  if (value.kind == Kind::Scalar) {
    text += ' ' + (needs_quotes(value) ? quote(value.scalar) : value.scalar);
  }
  if (value.kind == Kind::Map && value.entries.empty()) text += " {}";
  if (value.kind == Kind::List) {
    text += " [";
    for (std::size_t index = 0; index < value.items.size(); ++index) {
      const YamlValue& item = value.items[index];
      if (index > 0) text += ", ";
      text += needs_quotes(item) ? quote(item.scalar) : item.scalar;
    }
    text += ']';
  }
}

void print_nested(const YamlValue& value, int indent, std::string& text) {
  const bool block = (value.kind == Kind::Map && !value.entries.empty()) ||
                     (value.kind == Kind::List && !is_flat(value));
  if (!block) {
    print_inline(value, text);
    text += '\n';
    return;
  }
  text += '\n';
  print(value, indent, text);
}

void print(const YamlValue& value, int indent, std::string& text) {
  const std::string margin(static_cast<std::size_t>(indent), ' ');
  for (const auto& [key, entry] : value.entries) {
    text += margin + (needs_quotes(yaml_text(key)) ? quote(key) : key) + ':';
    print_nested(entry, indent + 2, text);
  }
  for (const YamlValue& item : value.items) {
    if (item.kind == Kind::Map && !item.entries.empty()) {
      std::string block;
      print(item, indent + 2, block);
      text += margin + "- " + block.substr(static_cast<std::size_t>(indent) + 2);
    } else {
      text += margin + "-";
      print_nested(item, indent + 2, text);
    }
  }
}

}  // namespace

YamlValue::YamlValue() = default;
YamlValue::YamlValue(const YamlValue& other) = default;
YamlValue::YamlValue(YamlValue&& other) noexcept = default;
YamlValue& YamlValue::operator=(const YamlValue& other) = default;
YamlValue& YamlValue::operator=(YamlValue&& other) noexcept = default;
YamlValue::~YamlValue() = default;

std::string YamlValue::where() const {
  const std::string name = source ? *source : std::string("(made here)");
  return line > 0 ? fmt::format("{}:{}", name, line) : name;
}

const YamlValue* YamlValue::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string YamlValue::describe() const {
  switch (kind) {
    case Kind::Null:
      return "nothing";
    case Kind::Scalar:
      return fmt::format("'{}{}'", scalar.substr(0, 60), scalar.size() > 60 ? "..." : "");
    case Kind::List:
      return "a list";
    case Kind::Map:
      return "a map";
  }
  return "";
}

YamlValue parse_yaml(std::string_view text, const std::string& source) {
  check_flow_depth(text, source);
  check_block_depth(text, source);
  try {
    return Converter(source).convert(YAML::Load(std::string(text)), 0);
  } catch (const YAML::Exception& problem) {
    const std::string where =
        problem.mark.is_null() ? source : fmt::format("{}:{}", source, problem.mark.line + 1);
    fail(where, problem.msg, "valid YAML",
         problem.mark.is_null() ? "" : tab_hint(text, problem.mark.line));
  }
}

YamlValue load_yaml(const std::filesystem::path& path) {
  return parse_yaml(base::read_file(path, kMaxYamlBytes), path.string());
}

std::string print_yaml(const YamlValue& value) {
  std::string text;
  if (value.kind == Kind::Scalar || value.kind == Kind::Null ||
      (value.items.empty() && value.entries.empty())) {
    print_inline(value, text);
    return (text.empty() ? text : text.substr(1)) + '\n';
  }
  print(value, 0, text);
  return text;
}

YamlValue yaml_text(std::string text) {
  YamlValue value;
  value.kind = Kind::Scalar;
  value.scalar = std::move(text);
  return value;
}

YamlValue yaml_quoted(std::string text) {
  YamlValue value = yaml_text(std::move(text));
  value.quoted = true;
  return value;
}

YamlValue yaml_number(double number) {
  return yaml_text(fmt::format("{}", number));
}

YamlValue yaml_integer(std::int64_t number) {
  return yaml_text(fmt::to_string(number));
}

YamlValue yaml_flag(bool flag) {
  return yaml_text(flag ? "true" : "false");
}

YamlValue yaml_list(std::vector<YamlValue> items) {
  YamlValue value;
  value.kind = Kind::List;
  value.items = std::move(items);
  return value;
}

YamlValue yaml_map(std::vector<std::pair<std::string, YamlValue>> entries) {
  YamlValue value;
  value.kind = Kind::Map;
  value.entries = std::move(entries);
  return value;
}

void refuse_value(const YamlValue& value, std::string what, std::string got, std::string expected) {
  throw base::UserError({.what = std::move(what),
                         .where = value.where(),
                         .got = std::move(got),
                         .expected = std::move(expected)});
}

void override_yaml(YamlValue& document, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const auto refuse = [&](const std::string& got) {
    throw base::UserError({.what = fmt::format("cannot apply '--set {}'", assignment),
                           .got = got,
                           .expected = "key.key.0.key=value with existing list positions"});
  };
  if (equals == std::string::npos || equals == 0) refuse("no '='");
  YamlValue* place = &document;
  std::string_view path = std::string_view(assignment).substr(0, equals);
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    if (place->kind == Kind::List) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (error != std::errc{} || end != key.data() + key.size() || index >= place->items.size()) {
        refuse(fmt::format("position '{}' of a list of {}", key, place->items.size()));
      }
      place = &place->items[index];
      continue;
    }
    if (place->kind == Kind::Scalar) refuse(fmt::format("'{}' inside {}", key, place->describe()));
    place->kind = Kind::Map;
    const auto entry =
        std::ranges::find(place->entries, key, [](const auto& pair) { return pair.first; });
    if (entry == place->entries.end()) {
      place = &place->entries.emplace_back(key, YamlValue{}).second;
      place->source = std::make_shared<const std::string>("--set " + assignment);
    } else {
      place = &entry->second;
    }
  }
  *place = parse_yaml(assignment.substr(equals + 1), "--set " + assignment);
}

}  // namespace espalier::recipe
