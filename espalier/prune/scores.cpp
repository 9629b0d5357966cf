#include "espalier/prune/scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/base/random.h"
#include "espalier/ops/weight.h"

namespace espalier::prune {
namespace {

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};

constexpr std::array kReductions{
    Named<Reduction>{"mean", Reduction::Mean}, Named<Reduction>{"max", Reduction::Max},
    Named<Reduction>{"norm", Reduction::Norm}, Named<Reduction>{"first", Reduction::First}};
constexpr std::array kScalings{Named<Scaling>{"none", Scaling::None},
                               Named<Scaling>{"group_mean", Scaling::GroupMean},
                               Named<Scaling>{"group_max", Scaling::GroupMax},
                               Named<Scaling>{"group_norm", Scaling::GroupNorm},
                               Named<Scaling>{"global_mean", Scaling::GlobalMean}};

template <typename Rows>
auto parse(const Rows& rows, std::string_view name, std::string_view kind) {
  for (const auto& row : rows) {
    if (row.name == name) return row.value;
  }
  std::vector<std::string> known;
  for (const auto& row : rows) known.emplace_back(row.name);
  throw base::UserError({.what = fmt::format("unknown {} of pruning scores", kind),
                         .got = fmt::format("'{}'", name),
                         .hint = base::suggest_name(name, known)});
}

/// The axis in front, everything else in one.
Tensor rows_of(const Tensor& tensor, std::size_t axis) {
  return tensor.to(at::kDouble)
      .movedim(static_cast<std::int64_t>(axis), 0)
      .reshape({tensor.size(static_cast<std::int64_t>(axis)), -1});
}

/// Filter scores of every axis that the criterion judges.
class Judge {
 public:
  explicit Judge(const ScoreOptions& options)
      : options_(options), criterion_(find_criterion(options.criterion)) {}

  /// Scores along an axis of an initializer, or nothing when the value is computed.
  const std::vector<double>* judge(const Axis& axis) {
    const ir::Value* weight = ops::initializer_behind(axis.value);
    if (weight == nullptr || !tensor::is_floating(weight->type().dtype)) return nullptr;
    const Axis key{weight, axis.axis};
    const auto known = judged_.find(key);
    if (known != judged_.end()) return &known->second;
    FilterRows rows{.weights = rows_of(weight->constant(), axis.axis),
                    .gradients = {},
                    .seed = base::mix(options_.seed, judged_.size())};
    base::check(rows.weights.isfinite().all().item<bool>(),
                "cannot score the filters of '{}': got NaN or infinite weights", weight->name());
    if (criterion_.evidence == Evidence::Changes) rows.gradients = changes_of(key);
    if (criterion_.evidence == Evidence::SquaredGradients) rows.gradients = gradients_of(key);
    const Tensor scores = criterion_.score(rows).contiguous();
    const auto* data = scores.data_ptr<double>();
    return &judged_.emplace(key, std::vector<double>(data, data + scores.numel())).first->second;
  }

  [[nodiscard]] const Criterion& criterion() const { return criterion_; }

 private:
  [[nodiscard]] Tensor gradients_of(const Axis& axis) const {
    const std::string& name = axis.value->name();
    const auto place = options_.squared_gradients.find(name);
    check_given(place != options_.squared_gradients.end(), name);
    base::check(place->second.sizes() == axis.value->constant().sizes(),
                "gradients of '{}' do not have the sizes of the weight", name);
    check_finite(place->second, name);
    return rows_of(place->second, axis.axis);
  }

  [[nodiscard]] Tensor changes_of(const Axis& axis) const {
    const std::string& name = axis.value->name();
    const auto place = options_.changes.find(axis);
    check_given(place != options_.changes.end(), name);
    check_finite(place->second, name);
    return place->second.to(at::kDouble);
  }

  void check_given(bool given, const std::string& name) const {
    base::check(given, "criterion '{}' needs the gradients of '{}', which are not given",
                criterion_.name, name);
  }

  static void check_finite(const Tensor& gradients, const std::string& name) {
    base::check(gradients.isfinite().all().item<bool>(),
                "cannot score the filters of '{}': got NaN or infinite gradients", name);
  }

  const ScoreOptions& options_;
  const Criterion& criterion_;
  std::map<Axis, std::vector<double>> judged_;
};

double reduce(const std::vector<double>& parts, Reduction reduction) {
  switch (reduction) {
    case Reduction::Mean:
      return std::accumulate(parts.begin(), parts.end(), 0.0) / static_cast<double>(parts.size());
    case Reduction::Max:
      return *std::ranges::max_element(parts);
    case Reduction::Norm:
      return std::sqrt(std::inner_product(parts.begin(), parts.end(), parts.begin(), 0.0));
    case Reduction::First:
      break;
  }
  return parts.front();
}

GroupScores score_group(const ChannelMap& map, const ChannelGroup& group,
                        const std::vector<Axis>& axes, Judge& judge, Reduction reduction) {
  std::unordered_map<ChannelId, std::vector<double>> parts;
  for (const ChannelId channel : group.channels) parts[channel];
  for (const Axis& axis : axes) {
    const auto along = map.along(axis);
    const bool touches =
        std::ranges::any_of(along, [&](ChannelId channel) { return parts.contains(channel); });
    const std::vector<double>* scores = touches ? judge.judge(axis) : nullptr;
    if (scores == nullptr) continue;
    for (std::size_t position = 0; position < along.size(); ++position) {
      const auto place = parts.find(along[position]);
      if (place != parts.end()) place->second.push_back((*scores)[position]);
    }
  }
  GroupScores result;
  for (const ChannelId channel : group.channels) {
    if (parts[channel].empty()) {
      const bool scales = judge.criterion().evidence == Evidence::Scales;
      return {.scores = {},
              .missing = scales ? "no normalization scales these channels"
                                : "the weights that make these channels are computed"};
    }
    result.scores.push_back(reduce(parts[channel], reduction));
  }
  return result;
}

double divisor_of(const std::vector<double>& scores, Scaling scaling) {
  switch (scaling) {
    case Scaling::GroupMean:
    case Scaling::GlobalMean:
      return reduce(scores, Reduction::Mean);
    case Scaling::GroupMax:
      return reduce(scores, Reduction::Max);
    case Scaling::GroupNorm:
      return reduce(scores, Reduction::Norm);
    case Scaling::None:
      break;
  }
  return 1;
}

void scale(std::vector<GroupScores>& groups, Scaling scaling) {
  std::vector<double> all;
  for (const GroupScores& group : groups) {
    all.insert(all.end(), group.scores.begin(), group.scores.end());
  }
  for (GroupScores& group : groups) {
    if (group.scores.empty()) continue;
    const double divisor = divisor_of(scaling == Scaling::GlobalMean ? all : group.scores, scaling);
    if (divisor <= 0) continue;
    for (double& score : group.scores) score /= divisor;
  }
}

}  // namespace

Reduction parse_reduction(std::string_view name) {
  return parse(kReductions, name, "reduction");
}

std::string_view to_string(Reduction reduction) {
  return kReductions.at(static_cast<std::size_t>(reduction)).name;
}

Scaling parse_scaling(std::string_view name) {
  return parse(kScalings, name, "scaling");
}

std::string_view to_string(Scaling scaling) {
  return kScalings.at(static_cast<std::size_t>(scaling)).name;
}

std::vector<GroupScores> score_channels(const ChannelMap& map, const ScoreOptions& options) {
  Judge judge(options);
  std::vector<Axis> scales;
  for (const ScaleAxes& axes : map.scales()) scales.push_back(axes.scale);
  std::vector<GroupScores> scores;
  for (const ChannelGroup& group : map.groups()) {
    std::vector<Axis> axes = scales;
    if (judge.criterion().evidence != Evidence::Scales) {
      axes.clear();
      for (const std::size_t index : group.layers) axes.push_back(map.layers()[index].filters);
    }
    // Channels that cannot go need no score, and may have weights that cannot be judged.
    scores.push_back(group.can_be_cut() ? score_group(map, group, axes, judge, options.reduction)
                                        : GroupScores{.scores = {}, .missing = "it cannot be cut"});
  }
  scale(scores, options.scaling);
  return scores;
}

}  // namespace espalier::prune
