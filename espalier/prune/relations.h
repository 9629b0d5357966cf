#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::prune {

/// One axis of a value.
struct Axis {
  const ir::Value* value = nullptr;
  std::size_t axis = 0;
  auto operator<=>(const Axis&) const = default;
};

inline constexpr std::int64_t kUnknownSize = -1;
/// Longer axes are treated as if their size were unknown: no channel axis is that long.
inline constexpr std::int64_t kLongestAxis = std::int64_t{1} << 20;

/// Axes of a value; nothing when unknown, or for null.
[[nodiscard]] std::optional<std::size_t> rank_of(const ir::Value* value);
/// Positions along an axis, or kUnknownSize.
[[nodiscard]] std::int64_t size_of(const Axis& axis);

/// Every position of one axis corresponds to the same position of the other.
struct SameAxis {
  Axis first;
  Axis second;
};

/// Position first_start + i * first_step of one axis corresponds to second_start + i * second_step
/// of the other, for i in 0..count-1. Both may be the same axis.
struct Run {
  Axis first;
  std::int64_t first_start = 0;
  std::int64_t first_step = 1;
  Axis second;
  std::int64_t second_start = 0;
  std::int64_t second_step = 1;
  std::int64_t count = 0;
};

/// Who forbids that positions are removed, and why.
struct Veto {
  std::string where;   ///< "node 'softmax' (Softmax)", "output 'logits' of the graph"
  std::string reason;  ///< "it normalizes over all positions"
  bool operator==(const Veto&) const = default;
};

/// Positions that must stay.
struct FixedPositions {
  Axis axis;
  std::optional<std::int64_t> position;  ///< nothing: all of them
  std::size_t veto = 0;                  ///< index into Relations::vetoes
};

/// A node sums over an axis of an input: a removed position equals one that holds zero here.
struct Contraction {
  const ir::Node* node = nullptr;
  std::size_t port = 0;
  std::size_t axis = 0;
};

/// A layer with weights: its filters make the channels of its output.
struct LayerAxes {
  const ir::Node* node = nullptr;
  Axis filters;        ///< axis of the weight that counts filters
  Axis output;         ///< axis of the output that holds their results
  Axis weight_inputs;  ///< axis of the weight that counts input channels (of one group)
};

/// A vector with a factor for each channel of a normalization.
struct ScaleAxes {
  const ir::Node* node = nullptr;
  Axis scale;
};

/// A reshape whose axes do not correspond one to one: within each block the products of the sizes
/// agree. Which factor may lose positions is decided when everything else is known.
struct ReshapeBlock {
  const ir::Node* node = nullptr;
  std::vector<Axis> inputs;   ///< axes of the input, outermost first; known sizes above 1
  std::vector<Axis> outputs;  ///< axes of the output
};

/// Axes that a reshape merges or splits together, and which of them may lose positions.
struct BlockChoice {
  std::vector<std::size_t> inputs = {};
  std::vector<std::size_t> outputs = {};
  std::optional<std::pair<std::size_t, std::size_t>> chosen = std::nullopt;  ///< input, output axis
  bool operator==(const BlockChoice&) const = default;
};

/// Where an operator leaves several ways of removing positions, which of them a graph takes, by
/// node name. They are chosen by sizes, and a cut changes sizes: whoever cuts a graph again and
/// describes both cuts as one keeps to the choices of the first graph.
struct CouplingChoices {
  /// Convolutions of several groups: whole groups go (true), or the same places of every group.
  std::map<std::string, bool, std::less<>> whole_groups = {};
  /// Reshapes that merge or split axes.
  std::map<std::string, std::vector<BlockChoice>, std::less<>> blocks = {};
};

/// How positions along the axes of all values of a graph correspond, as the operators' rules say.
/// Axes of unknown size have no positions; a correspondence between a known and an unknown size
/// fixes the known one.
class Relations {
 public:
  /// `earlier`: choices to keep to; nothing where all are free.
  explicit Relations(std::optional<CouplingChoices> earlier = std::nullopt)
      : earlier_(std::move(earlier)) {}

  void same(const Axis& first, const Axis& second, const ir::Node& node);
  void run(const Run& run);
  void fix(const Axis& axis, const ir::Node& node, std::string_view reason);
  void fix_position(const Axis& axis, std::int64_t position, const ir::Node& node,
                    std::string_view reason);
  /// Fixes every axis of a value for a reason outside of any node.
  void fix_value(const ir::Value& value, const Veto& veto);
  /// Fixes every axis of every input and output of a node.
  void veto(const ir::Node& node, std::string_view reason);
  void contract(const ir::Node& node, std::size_t port, std::size_t axis);
  void layer(const LayerAxes& layer) { layers_.push_back(layer); }
  void scale(const ScaleAxes& scale) { scales_.push_back(scale); }
  void reshape(ReshapeBlock block) { blocks_.push_back(std::move(block)); }
  /// Whether whole groups of a convolution go: as chosen earlier, or as `preferred`. One of a
  /// single group is dense, unless it had more.
  [[nodiscard]] bool takes_whole_groups(const ir::Node& node, std::int64_t groups, bool preferred);
  void choose(const ir::Node& node, BlockChoice choice);
  /// What was chosen earlier for the block that holds one of these axes; null where no choice was
  /// made, or all are free.
  [[nodiscard]] const BlockChoice* earlier_block(const ir::Node& node, std::size_t input_axis,
                                                 std::size_t output_axis) const;
  [[nodiscard]] bool keeps_to_choices() const { return earlier_.has_value(); }
  [[nodiscard]] const CouplingChoices& choices() const { return choices_; }

  [[nodiscard]] const std::vector<SameAxis>& same_axes() const { return same_; }
  [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
  [[nodiscard]] const std::vector<FixedPositions>& fixed() const { return fixed_; }
  [[nodiscard]] const std::vector<Veto>& vetoes() const { return vetoes_; }
  [[nodiscard]] const std::vector<Contraction>& contractions() const { return contractions_; }
  [[nodiscard]] const std::vector<LayerAxes>& layers() const { return layers_; }
  [[nodiscard]] const std::vector<ScaleAxes>& scales() const { return scales_; }
  [[nodiscard]] const std::vector<ReshapeBlock>& blocks() const { return blocks_; }

 private:
  std::size_t veto_index(Veto veto);
  void add_fixed(const Axis& axis, std::optional<std::int64_t> position, Veto veto);

  std::vector<SameAxis> same_;
  std::vector<Run> runs_;
  std::vector<FixedPositions> fixed_;
  std::vector<Veto> vetoes_;
  std::vector<Contraction> contractions_;
  std::vector<LayerAxes> layers_;
  std::vector<ScaleAxes> scales_;
  std::vector<ReshapeBlock> blocks_;
  std::optional<CouplingChoices> earlier_;
  CouplingChoices choices_;
};

/// The relations of a whole graph, by the rule of each node's operator (ops::index_rules).
[[nodiscard]] Relations find_relations(const ir::Graph& graph,
                                       std::optional<CouplingChoices> earlier = std::nullopt);

}  // namespace espalier::prune
