#include "espalier/exec/training_regions.h"

#include <algorithm>

#include "espalier/ops/weight.h"

namespace espalier::exec {
namespace {

constexpr std::size_t kImageWeightRank = 4;

/// Rank of a weight; 0 when it is not known.
std::size_t rank_of(const ir::Value* weight) {
  if (const ir::Value* constant = ops::initializer_behind(weight)) {
    return static_cast<std::size_t>(constant->constant().dim());
  }
  return weight != nullptr && weight->type().shape ? weight->type().shape->size() : 0;
}

bool pads_evenly(const ir::Node& conv) {
  const std::string automatic = conv.get_string("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID") return false;
  const ir::Ints pads = conv.get_ints("pads", {});
  const std::size_t axes = pads.size() / 2;
  return std::equal(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes),
                    pads.begin() + static_cast<std::ptrdiff_t>(axes));
}

bool has_one_output(const ir::Node& node) {
  return std::count_if(node.outputs().begin(), node.outputs().end(),
                       [](const ir::Value* output) { return output != nullptr; }) == 1;
}

/// A quantizer with one scale, whose parameters can be read on the CPU.
bool quantizes(const ir::Node& node) {
  const ir::Value* scale = node.input(1);
  return node.op() == "FakeQuantize" && node.domain() == ir::kEspalierDomain &&
         node.get_int("axis", -1) < 0 && scale != nullptr && scale->is_initializer() &&
         node.input(2) != nullptr;
}

class TrainingRegionFinder {
 public:
  explicit TrainingRegionFinder(const TrainingRegionQuestions& questions) : questions_(questions) {}

  [[nodiscard]] bool starts(const ir::Node& conv) const {
    return conv.is("Conv") && rank_of(conv.input(1)) == kImageWeightRank && pads_evenly(conv);
  }

  [[nodiscard]] TrainingRegion grow(const ir::Node& conv) const {
    TrainingRegion region{.conv = &conv};
    take(region, region.batch_norm, [&](const ir::Node& node) { return normalizes(node); });
    take(region, region.activation, [&](const ir::Node& node) { return activates(node); });
    take(region, region.quantizer, [&](const ir::Node& node) { return quantizes(node); });
    return region;
  }

 private:
  template <typename Accept>
  void take(const TrainingRegion& region, const ir::Node*& place, const Accept& accept) const {
    const ir::Value& result = *region.last().output();
    if (result.uses().size() != 1 || questions_.is_seen(result)) return;
    const ir::Use& use = result.uses().front();
    if (use.index == 0 && accept(*use.node)) place = use.node;
  }

  [[nodiscard]] bool normalizes(const ir::Node& node) const {
    if (!node.is("BatchNormalization") || node.inputs().size() != 5) return false;
    if (!has_one_output(node)) return false;
    return std::all_of(node.inputs().begin() + 1, node.inputs().end(), [&](const ir::Value* input) {
      return input != nullptr && questions_.is_owned(*input);
    });
  }

  [[nodiscard]] bool activates(const ir::Node& node) const {
    if (node.is("Relu")) return true;
    if (!node.is("Clip")) return false;
    return std::all_of(node.inputs().begin() + 1, node.inputs().end(), [&](const ir::Value* bound) {
      return bound == nullptr || (questions_.is_constant(*bound) && is_number(*bound));
    });
  }

  /// An initializer of one floating element.
  static bool is_number(const ir::Value& value) {
    return value.is_initializer() && value.constant().numel() == 1 &&
           value.constant().is_floating_point();
  }

  const TrainingRegionQuestions& questions_;
};

}  // namespace

const ir::Node& TrainingRegion::last() const {
  if (quantizer != nullptr) return *quantizer;
  if (activation != nullptr) return *activation;
  return batch_norm != nullptr ? *batch_norm : *conv;
}

std::vector<const ir::Node*> TrainingRegion::nodes() const {
  std::vector<const ir::Node*> all{conv};
  for (const ir::Node* node : {batch_norm, activation, quantizer}) {
    if (node != nullptr) all.push_back(node);
  }
  return all;
}

std::vector<TrainingRegion> find_training_regions(const ir::Graph& graph,
                                                  const TrainingRegionQuestions& questions) {
  std::vector<TrainingRegion> regions;
  const TrainingRegionFinder finder(questions);
  for (const ir::Node* node : graph.nodes()) {
    if (finder.starts(*node)) regions.push_back(finder.grow(*node));
  }
  return regions;
}

std::vector<RectifiedQuantizer> find_rectified_quantizers(const ir::Graph& graph,
                                                          const TrainingRegionQuestions& questions,
                                                          const std::set<const ir::Node*>& taken) {
  std::vector<RectifiedQuantizer> found;
  for (const ir::Node* relu : graph.nodes()) {
    if (!relu->is("Relu") || taken.contains(relu)) continue;
    const ir::Value& result = *relu->output();
    if (result.uses().size() != 1 || questions.is_seen(result)) continue;
    const ir::Use& use = result.uses().front();
    if (use.index != 0 || taken.contains(use.node) || !quantizes(*use.node)) continue;
    found.push_back({.relu = relu, .quantizer = use.node});
  }
  return found;
}

}  // namespace espalier::exec
