#include "espalier/recipe/prune_plan_yaml.h"

#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {
namespace {

using Positions = std::vector<std::int64_t>;

constexpr int kVersion = 1;
constexpr std::string_view kKind = "prune_plan";
/// Ranges are short texts for long lists: no document may unfold to more than this.
constexpr std::size_t kMostPositions = std::size_t{1} << 24;

std::string ranges_text(const Positions& positions) {
  std::string text;
  for (std::size_t first = 0; first < positions.size();) {
    std::size_t last = first;
    while (last + 1 < positions.size() && positions[last + 1] == positions[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    text += last == first ? fmt::format("{}", positions[first])
                          : fmt::format("{}-{}", positions[first], positions[last]);
    first = last + 1;
  }
  return text;
}

/// Collects ascending positions of one entry.
class PositionReader {
 public:
  PositionReader(const YamlValue& place, std::size_t& total) : place_(place), total_(total) {}

  Positions read() {
    if (place_.kind == YamlValue::Kind::List) {
      for (const YamlValue& item : place_.items) {
        const std::int64_t position = read_integer(item, "removed", 0, prune::kLongestAxis - 1);
        add(position, position);
      }
    } else {
      read_ranges(read_text(place_, "removed"));
    }
    if (positions_.empty())
      refuse_value(place_, "bad value of 'removed'", "no position", "at least one");
    return std::move(positions_);
  }

 private:
  void read_ranges(std::string_view text) {
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      const std::string_view part = trimmed(text.substr(0, comma));
      text.remove_prefix(std::min(comma + 1, text.size()));
      const std::size_t dash = part.find('-');
      const std::int64_t first = number(trimmed(part.substr(0, dash)), part);
      const bool single = dash == std::string_view::npos;
      add(first, single ? first : number(trimmed(part.substr(dash + 1)), part));
    }
  }

  static std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
  }

  [[nodiscard]] std::int64_t number(std::string_view digits, std::string_view part) const {
    std::int64_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (digits.empty() || error != std::errc() || stop != end || value < 0 ||
        value >= prune::kLongestAxis) {
      refuse_value(place_, "bad value of 'removed'", fmt::format("'{}'", part),
                   "positions and ranges such as \"0-3, 7\"");
    }
    return value;
  }

  void add(std::int64_t first, std::int64_t last) {
    const std::int64_t before = positions_.empty() ? -1 : positions_.back();
    if (last < first || first <= before) {
      refuse_value(place_, "bad value of 'removed'",
                   fmt::format("{} behind {}", first, last < first ? last : before),
                   "positions that ascend");
    }
    total_ += static_cast<std::size_t>(last - first) + 1;
    if (total_ > kMostPositions) {
      refuse_value(place_, "too many removed positions",
                   fmt::format("more than {}", kMostPositions), "");
    }
    for (std::int64_t position = first; position <= last; ++position) {
      positions_.push_back(position);
    }
  }

  const YamlValue& place_;
  std::size_t& total_;
  Positions positions_;
};

prune::GroupCut read_cut(const YamlValue& item, std::size_t& total) {
  MapReader reader(item, "an entry of 'cuts'");
  prune::GroupCut cut;
  cut.group = reader.text("group", "");
  cut.initializer = read_text(reader.require("initializer"), "initializer");
  cut.axis = reader.integer("axis", 0, {.low = 0, .high = 63});
  cut.removed = PositionReader(reader.require("removed"), total).read();
  reader.finish();
  return cut;
}

}  // namespace

std::string print_prune_plan(const prune::PrunePlan& plan) {
  std::vector<YamlValue> cuts;
  for (const prune::GroupCut& cut : plan.cuts) {
    cuts.push_back(yaml_map({{"group", yaml_quoted(cut.group)},
                             {"initializer", yaml_quoted(cut.initializer)},
                             {"axis", yaml_integer(cut.axis)},
                             {"removed", yaml_quoted(ranges_text(cut.removed))}}));
  }
  return print_yaml(yaml_map({{"version", yaml_integer(kVersion)},
                              {"kind", yaml_text(std::string(kKind))},
                              {"model_id", yaml_quoted(plan.model_id)},
                              {"criterion", yaml_quoted(plan.criterion)},
                              {"cuts", yaml_list(std::move(cuts))}}));
}

prune::PrunePlan parse_prune_plan(std::string_view text, const std::string& source) {
  const YamlValue document = parse_yaml(text, source);
  MapReader reader(document, "the pruning plan");
  static_cast<void>(read_integer(reader.require("version"), "version", kVersion, kVersion));
  const YamlValue& kind = reader.require("kind");
  if (read_text(kind, "kind") != kKind) {
    refuse_value(kind, "this is no pruning plan", kind.describe(), fmt::format("kind: {}", kKind));
  }
  prune::PrunePlan plan;
  plan.model_id = reader.text("model_id", "");
  plan.criterion = reader.text("criterion", "");
  const YamlValue& cuts = reader.require("cuts");
  if (cuts.kind != YamlValue::Kind::List && cuts.kind != YamlValue::Kind::Null) {
    refuse_value(cuts, "bad value of 'cuts'", cuts.describe(), "a list of maps");
  }
  std::size_t total = 0;
  // The channels of an axis may be of several groups, and then have several entries.
  std::map<std::pair<std::string, std::int64_t>, std::set<std::int64_t>> seen;
  for (const YamlValue& item : cuts.items) {
    plan.cuts.push_back(read_cut(item, total));
    const prune::GroupCut& cut = plan.cuts.back();
    std::set<std::int64_t>& positions = seen[{cut.initializer, cut.axis}];
    for (const std::int64_t position : cut.removed) {
      if (positions.insert(position).second) continue;
      refuse_value(item, "a position is listed twice in 'cuts'",
                   fmt::format("{} along axis {} of '{}'", position, cut.axis, cut.initializer),
                   "each position once");
    }
  }
  reader.finish();
  return plan;
}

prune::PrunePlan load_prune_plan(const std::filesystem::path& path) {
  return parse_prune_plan(base::read_file(path, kMaxYamlBytes), path.string());
}

}  // namespace espalier::recipe
