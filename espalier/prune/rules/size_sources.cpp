#include "espalier/prune/rules/size_sources.h"

#include <algorithm>
#include <map>

#include "espalier/prune/rules/rules.h"
#include "espalier/prune/rules/slice_ranges.h"

namespace espalier::prune {
namespace {

constexpr int kDeepest = 64;
constexpr std::int64_t kLongest = 64;

using Sources = std::vector<SizeSource>;

void merge(SizeSource& into, const SizeSource& other) {
  std::vector<Axis> axes = other.computed_from;
  if (other.size_of) axes.push_back(*other.size_of);
  for (const Axis& axis : axes) {
    const bool known = std::ranges::find(into.computed_from, axis) != into.computed_from.end();
    if (!known) into.computed_from.push_back(axis);
  }
}

/// Elements of a scalar or vector; nothing for others and where it is unknown.
std::optional<std::size_t> length_of(const ir::Value& value) {
  const auto rank = rank_of(&value);
  if (!rank || *rank > 1) return std::nullopt;
  const std::int64_t length = *rank == 0 ? 1 : size_of({&value, 0});
  if (length < 0 || length > kLongest) return std::nullopt;
  return static_cast<std::size_t>(length);
}

class Tracer {
 public:
  std::optional<Sources> trace(const ir::Value& value, int depth) {
    if (const auto known = done_.find(&value); known != done_.end()) return known->second;
    const auto length = length_of(value);
    std::optional<Sources> sources;
    if (length && depth < kDeepest) {
      sources = value.producer() == nullptr ? Sources(*length)
                                            : trace_node(*value.producer(), depth + 1, *length);
      if (sources && sources->size() != *length) sources.reset();
    }
    return done_.emplace(&value, std::move(sources)).first->second;
  }

 private:
  std::optional<Sources> trace_node(const ir::Node& node, int depth, std::size_t length) {
    if (node.is("Shape")) return axes_of(node, length);
    if (node.is("Size")) return all_axes_of(*node.input(0));
    if (node.is("Gather")) return gathered(node, depth);
    if (node.is("Slice")) return sliced(node, depth);
    if (node.is("Concat")) return joined(node, depth);
    for (const char* moving : {"Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten",
                               "Floor", "Ceil", "Round"}) {
      if (node.is(moving)) return trace(*node.input(0), depth);
    }
    for (const char* arithmetic : {"Add", "Sub", "Mul", "Div", "Min", "Max", "Where", "Equal"}) {
      if (node.is(arithmetic)) return computed(node, depth, length);
    }
    return mixed(node, depth, length);
  }

  static Sources axes_of(const ir::Node& shape, std::size_t length) {
    const ir::Value* data = shape.input(0);
    const std::size_t rank = rank_of(data).value_or(0);
    const std::int64_t start = shape.get_int("start", 0);
    const std::int64_t first =
        std::clamp<std::int64_t>(start < 0 ? start + static_cast<std::int64_t>(rank) : start, 0,
                                 static_cast<std::int64_t>(rank));
    Sources sources(length);
    for (std::size_t index = 0; index < length; ++index) {
      const std::size_t axis = static_cast<std::size_t>(first) + index;
      if (axis < rank) sources[index].size_of = Axis{data, axis};
    }
    return sources;
  }

  static Sources all_axes_of(const ir::Value& data) {
    SizeSource all;
    for (std::size_t axis = 0; axis < rank_of(&data).value_or(0); ++axis) {
      merge(all, {.size_of = Axis{&data, axis}});
    }
    return {all};
  }

  std::optional<Sources> gathered(const ir::Node& node, int depth) {
    const auto from = trace(*node.input(0), depth);
    const auto indices = integers_of(node.input(1));
    if (!from) return std::nullopt;
    if (!indices) return mixed(node, depth, length_of(*node.output()).value_or(0));
    const auto length = static_cast<std::int64_t>(from->size());
    Sources picked;
    for (const std::int64_t index : *indices) {
      const std::int64_t place = index < 0 ? index + length : index;
      if (place < 0 || place >= length) return std::nullopt;
      picked.push_back((*from)[static_cast<std::size_t>(place)]);
    }
    return picked;
  }

  std::optional<Sources> sliced(const ir::Node& node, int depth) {
    const auto from = trace(*node.input(0), depth);
    const auto ranges = slice_ranges(node);
    if (!from) return std::nullopt;
    if (!ranges || ranges->size() != 1) {
      return mixed(node, depth, length_of(*node.output()).value_or(0));
    }
    Sources picked;
    for (std::int64_t index = 0; index < ranges->front().count; ++index) {
      const std::int64_t place = ranges->front().start + index * ranges->front().step;
      picked.push_back(from->at(static_cast<std::size_t>(place)));
    }
    return picked;
  }

  std::optional<Sources> joined(const ir::Node& node, int depth) {
    Sources sources;
    for (const ir::Value* part : node.inputs()) {
      const auto more = trace(*part, depth);
      if (!more) return std::nullopt;
      sources.insert(sources.end(), more->begin(), more->end());
    }
    return sources;
  }

  /// Element by element, with broadcasting of single ones. A factor or divisor of one changes
  /// nothing.
  std::optional<Sources> computed(const ir::Node& node, int depth, std::size_t length) {
    Sources sources(length);
    for (std::size_t port = 0; port < node.inputs().size(); ++port) {
      const auto more = trace(*node.input(port), depth);
      if (!more || (more->size() != length && more->size() != 1)) return std::nullopt;
      for (std::size_t index = 0; index < length; ++index) {
        const SizeSource& source = (*more)[more->size() == 1 ? 0 : index];
        if (port == 0 && is_multiplied_by_one(node, index)) {
          sources[index] = source;
        } else {
          merge(sources[index], source);
        }
      }
    }
    return sources;
  }

  static bool is_multiplied_by_one(const ir::Node& node, std::size_t index) {
    if (!node.is("Mul") && !node.is("Div")) return false;
    const ir::Value* factor = node.input(1);
    if (factor == nullptr || !factor->is_initializer()) return false;
    const Tensor flat = factor->constant().flatten();
    const auto place = static_cast<std::int64_t>(index);
    return flat.numel() > 0 && flat[flat.numel() == 1 ? 0 : place].item<double>() == 1;
  }

  /// Every element from everything.
  std::optional<Sources> mixed(const ir::Node& node, int depth, std::size_t length) {
    SizeSource all;
    for (const ir::Value* input : node.inputs()) {
      if (input == nullptr) continue;
      const auto more = trace(*input, depth);
      if (!more) {
        // A tensor that is no vector of numbers: its sizes are not used.
        if (!length_of(*input)) continue;
        return std::nullopt;
      }
      for (const SizeSource& source : *more) merge(all, source);
    }
    return Sources(length, all);
  }

  std::map<const ir::Value*, std::optional<Sources>> done_;
};

}  // namespace

std::optional<std::vector<SizeSource>> size_sources(const ir::Value& numbers) {
  return Tracer().trace(numbers, 0);
}

}  // namespace espalier::prune
