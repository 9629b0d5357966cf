#include "espalier/exec/regions.h"

#include <algorithm>
#include <set>

namespace espalier::exec {
namespace {

class RegionFinder {
 public:
  explicit RegionFinder(const RegionQuestions& questions) : questions_(questions) {}

  void grow(const ir::Node& conv, std::vector<ConvRegion>& regions) {
    if (!constant_from(conv, 1)) return;
    ConvRegion region{.conv = &conv};
    taken_.insert(&conv);
    if (const ir::Node* user = only_user(region); user != nullptr && folds(*user)) {
      take(region.batch_norm, *user);
    }
    if (const ir::Node* user = only_user(region); user != nullptr && adds(*user, region)) {
      take(region.add, *user);
    }
    if (const ir::Node* user = only_user(region);
        user != nullptr && questions_.is_fusable_activation(*user)) {
      take(region.activation, *user);
    }
    regions.push_back(region);
  }

 private:
  void take(const ir::Node*& place, const ir::Node& node) {
    place = &node;
    taken_.insert(&node);
  }

  [[nodiscard]] bool constant_from(const ir::Node& node, std::size_t first) const {
    for (std::size_t index = first; index < node.inputs().size(); ++index) {
      const ir::Value* input = node.input(index);
      if (input != nullptr && !questions_.is_constant(*input)) return false;
    }
    return true;
  }

  /// The node that alone uses the region's result, unless the result must exist for itself.
  [[nodiscard]] const ir::Node* only_user(const ConvRegion& region) const {
    const ir::Value& result = *region.last().output();
    if (result.uses().size() != 1 || questions_.is_seen(result)) return nullptr;
    const ir::Use& use = result.uses().front();
    if (taken_.contains(use.node)) return nullptr;
    return use.index == 0 || use.node->is("Add") ? use.node : nullptr;
  }

  [[nodiscard]] bool folds(const ir::Node& node) const {
    return node.is("BatchNormalization") && node.get_int("training_mode", 0) == 0 &&
           node.inputs().size() == 5 && constant_from(node, 1) && has_one_output(node);
  }

  [[nodiscard]] static bool has_one_output(const ir::Node& node) {
    const auto& outputs = node.outputs();
    return std::count(outputs.begin(), outputs.end(), nullptr) + 1 ==
           static_cast<std::ptrdiff_t>(outputs.size());
  }

  /// Accepts x + other and sets the residual.
  [[nodiscard]] bool adds(const ir::Node& node, ConvRegion& region) const {
    if (!node.is("Add")) return false;
    const ir::Value* result = region.last().output();
    const ir::Value* other = node.input(0) == result ? node.input(1) : node.input(0);
    if (other == nullptr || other == result || questions_.is_constant(*other)) return false;
    region.residual = other;
    return true;
  }

  const RegionQuestions& questions_;
  std::set<const ir::Node*> taken_;
};

}  // namespace

const ir::Node& ConvRegion::last() const {
  if (activation != nullptr) return *activation;
  if (add != nullptr) return *add;
  return batch_norm != nullptr ? *batch_norm : *conv;
}

std::vector<const ir::Node*> ConvRegion::nodes() const {
  std::vector<const ir::Node*> all{conv};
  for (const ir::Node* node : {batch_norm, add, activation}) {
    if (node != nullptr) all.push_back(node);
  }
  return all;
}

std::vector<ConvRegion> find_conv_regions(const ir::Graph& graph,
                                          const RegionQuestions& questions) {
  std::vector<ConvRegion> regions;
  RegionFinder finder(questions);
  for (const ir::Node* node : graph.nodes()) {
    if (node->is("Conv")) finder.grow(*node, regions);
  }
  return regions;
}

}  // namespace espalier::exec
