#include "espalier/recipe/losses.h"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/passes/expose_values.h"
#include "espalier/recipe/loss_yaml.h"
#include "espalier/recipe/model_source.h"
#include "espalier/recipe/open_for_training.h"
#include "espalier/train/class_scores.h"
#include "espalier/train/teacher.h"

namespace espalier::recipe {
namespace {

using Kind = LossConfig::Kind;

void add_new(const std::vector<std::string>& names, std::vector<std::string>& list) {
  for (const std::string& name : names) {
    if (std::ranges::find(list, name) == list.end()) list.push_back(name);
  }
}

std::shared_ptr<train::Teacher> make_teacher(const std::vector<LossConfig>& configs,
                                             const TeacherConfig& teacher, const ir::Graph& self) {
  if (!needs_teacher(configs)) return nullptr;
  std::vector<std::string> features;
  for (const LossConfig& config : configs) add_new(config.teacher, features);
  return teacher
             ? std::make_shared<train::Teacher>(open_for_training(load_model(*teacher)), features)
             : std::make_shared<train::Teacher>(self, features);
}

train::LossTerm make_loss(const LossConfig& config, const std::shared_ptr<train::Teacher>& teacher,
                          const ir::Graph& self, const StudentFeatures& features) {
  const auto pair = [&](std::size_t index) {
    return train::FeaturePair{.student_output = features.output(config.student.at(index)),
                              .teacher = config.teacher.at(index)};
  };
  const bool probabilities = train::gives_probabilities(self);
  switch (config.kind) {
    case Kind::CrossEntropy:
      return train::cross_entropy(config.smoothing, probabilities);
    case Kind::Divergence:
      return train::distil_divergence(teacher, config.temperature, probabilities);
    case Kind::SoftLabel:
      return train::distil_soft_label(teacher, config.temperatures, probabilities);
    case Kind::Feature:
      return train::distil_feature(teacher, pair(0));
    case Kind::Flow:
      return train::distil_flow(teacher, pair(0), pair(1));
  }
  base::invariant(false, "a loss of no kind");
  return {};
}

}  // namespace

StudentFeatures::StudentFeatures(const ir::Graph& graph, const TrainStage& stage) {
  for (const ir::Value* output : graph.outputs()) outputs_.push_back(output->name());
  const std::size_t own = outputs_.size();
  const auto add = [&](const std::vector<LossConfig>& losses) {
    for (const LossConfig& loss : losses) add_new(loss.student, outputs_);
  };
  add(stage.losses);
  for (const StrategyConfig& strategy : stage.strategies) {
    if (const auto* distil = std::get_if<DistilConfig>(&strategy.what)) add(distil->losses);
  }
  added_.assign(outputs_.begin() + static_cast<std::ptrdiff_t>(own), outputs_.end());
}

exec::Program StudentFeatures::compile(const ir::Graph& graph) const {
  if (added_.empty()) return exec::Program::compile(graph, {.mode = exec::Mode::Training});
  ir::Graph exposed = graph.clone();
  passes::run(exposed, {passes::expose_values(added_)});
  return exec::Program::compile(exposed, {.mode = exec::Mode::Training});
}

std::size_t StudentFeatures::output(const std::string& name) const {
  const auto place = std::ranges::find(outputs_, name);
  base::invariant(place != outputs_.end(), "the value '{}' was not asked for", name);
  return static_cast<std::size_t>(place - outputs_.begin());
}

std::vector<train::LossTerm> make_losses(const std::vector<LossConfig>& configs,
                                         const TeacherConfig& teacher, const ir::Graph& self,
                                         const StudentFeatures& features) {
  const std::shared_ptr<train::Teacher> network = make_teacher(configs, teacher, self);
  std::vector<train::LossTerm> terms;
  std::map<std::string, int> counts;
  for (const LossConfig& config : configs) {
    train::LossTerm term = make_loss(config, network, self, features);
    term.weight = config.weight;
    if (const int number = ++counts[term.name]; number > 1) {
      term.name += fmt::format("_{}", number);
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

}  // namespace espalier::recipe
