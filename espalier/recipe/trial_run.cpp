#include "espalier/recipe/trial_run.h"

#include <algorithm>
#include <limits>
#include <map>

#include <ATen/ops/zeros_like.h>

#include "espalier/recipe/safe_images.h"

namespace espalier::recipe {

TrialRun::TrialRun(const UnprunedResults& unpruned)
    : unpruned_(unpruned),
      states_(unpruned.images, State::Wanted),
      correct_(unpruned.correct),
      divergence_(unpruned.images, 0) {
  if (unpruned.scores.defined()) scores_ = at::zeros_like(unpruned.scores);
}

void TrialRun::record(const ImageUnit& unit, const Tensor& output) {
  const ImageUnit images{.images = unit.images};
  const auto of_images = [&](const BatchValues& values) {
    return gather_images(images, unpruned_.batch_size, values).at(0);
  };
  const Tensor reference =
      of_images([&](std::size_t batch) { return std::vector{unpruned_.outputs[batch]}; });
  const std::vector<double> divergence = divergences(output, reference);
  for (std::size_t index = 0; index < divergence.size(); ++index) {
    divergence_[unit.images[index]] = divergence[index];
    states_[unit.images[index]] = State::Ran;
  }
  if (correct_.empty()) return;
  const auto size = static_cast<std::int64_t>(unpruned_.batch_size);
  const Tensor labels = of_images([&](std::size_t batch) {
    const std::int64_t first = static_cast<std::int64_t>(batch) * size;
    const std::int64_t count = std::min(size, unpruned_.labels.size(0) - first);
    return std::vector{unpruned_.labels.narrow(0, first, count)};
  });
  const std::vector<std::int8_t> correct = judge_top1(output, labels);
  for (std::size_t index = 0; index < correct.size(); ++index) {
    correct_[unit.images[index]] = correct[index];
    if (!scores_.defined()) continue;
    scores_.select(0, static_cast<std::int64_t>(unit.images[index]))
        .copy_(output.select(0, static_cast<std::int64_t>(index)));
  }
}

bool TrialRun::leave_out_safe(std::size_t first) {
  std::vector<char> ran;
  for (const State state : states_) ran.push_back(state == State::Ran ? 1 : 0);
  const std::vector<char> safe = find_safe_images(unpruned_.scores, scores_, ran);
  bool any = false;
  for (std::size_t image = first; image < states_.size(); ++image) {
    if (ran[image] != 0) continue;
    states_[image] = safe[image] != 0 ? State::LeftOut : State::Wanted;
    any = any || wants(image);
  }
  return any;
}

PairedMean TrialRun::loss(std::size_t images) const {
  PairedMean loss;
  for (std::size_t image = 0; image < images; ++image) {
    if (wants(image)) continue;
    if (correct_.empty()) {
      loss.add(divergence_[image]);
    } else if (correct_[image] >= 0) {
      loss.add(100.0 * (unpruned_.correct[image] - correct_[image]));
    }
  }
  return loss;
}

std::int64_t TrialRun::num_correct(std::size_t images) const {
  std::int64_t count = 0;
  for (std::size_t image = 0; image < std::min(images, correct_.size()); ++image) {
    count += !wants(image) && correct_[image] == 1 ? 1 : 0;
  }
  return count;
}

double TrialRun::mean_divergence(std::size_t images) const {
  struct Alike {
    std::int64_t left_out = 0;
    double least_lead = std::numeric_limits<double>::infinity();  ///< of those
    PairedMean ran = {};  ///< of those that ran and lead at least as far
  };
  constexpr std::int64_t kAnyClass = -1;
  std::map<std::int64_t, Alike> by_class;
  PairedMean ran;
  for (std::size_t image = 0; image < images; ++image) {
    if (states_[image] == State::Ran) ran.add(divergence_[image]);
    if (states_[image] != State::LeftOut) continue;
    for (const std::int64_t key : {unpruned_.classes[image], kAnyClass}) {
      Alike& alike = by_class[key];
      ++alike.left_out;
      alike.least_lead = std::min(alike.least_lead, unpruned_.leads[image]);
    }
  }
  if (by_class.empty()) return ran.mean();
  for (std::size_t image = 0; image < images; ++image) {
    if (states_[image] != State::Ran) continue;
    for (const std::int64_t key : {unpruned_.classes[image], kAnyClass}) {
      const auto place = by_class.find(key);
      if (place == by_class.end() || unpruned_.leads[image] < place->second.least_lead) continue;
      place->second.ran.add(divergence_[image]);
    }
  }
  const Alike any = by_class.extract(kAnyClass).mapped();
  const double otherwise = (any.ran.count() > 0 ? any.ran : ran).mean();
  double sum = static_cast<double>(ran.count()) * ran.mean();
  for (const auto& [key, alike] : by_class) {
    sum += static_cast<double>(alike.left_out) *
           (alike.ran.count() > 0 ? alike.ran.mean() : otherwise);
  }
  return sum / static_cast<double>(ran.count() + any.left_out);
}

}  // namespace espalier::recipe
