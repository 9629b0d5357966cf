#include "espalier/train/evaluate.h"

#include <ATen/core/grad_mode.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"

namespace espalier::train {

MetricValues measure(std::span<const Tensor> outputs, const data::Batch& batch,
                     const std::vector<double>& terms, const std::vector<LossTerm>& losses,
                     const std::vector<TopK>& metrics, Meters& meters) {
  MetricValues values;
  const auto samples = static_cast<double>(batch.images.size(0));
  const auto add = [&](const std::string& name, double value, double weight) {
    values[name] = value;
    meters.add(name, value, weight);
  };
  double total = 0;
  for (std::size_t index = 0; index < losses.size(); ++index) {
    total += losses[index].weight * terms[index];
    if (losses.size() > 1) add(losses[index].name, terms[index], samples);
  }
  if (!losses.empty()) add("loss", total, samples);
  if (metrics.empty()) return values;
  const auto labelled = static_cast<double>(count_labelled(batch.labels));
  for (const TopK& metric : metrics) {
    const auto hits = static_cast<double>(count_top_k(outputs[0], batch.labels, metric.k));
    if (labelled > 0) add(metric.name(), hits / labelled, labelled);
  }
  return values;
}

MetricValues evaluate(const exec::Program& program, BatchSource& source,
                      const std::vector<LossTerm>& losses, const std::vector<TopK>& metrics) {
  const at::NoGradGuard no_gradients;
  Meters meters;
  source.start({});
  while (const std::optional<data::Batch> batch = source.next()) {
    base::stop_if_interrupted();
    const std::vector<Tensor> outputs = program.run(std::span(&batch->images, 1));
    std::vector<double> terms;
    for (const LossTerm& loss : losses) {
      terms.push_back(loss.function(outputs, *batch).item<double>());
    }
    measure(outputs, *batch, terms, losses, metrics, meters);
  }
  base::check(!meters.state().empty(), "cannot evaluate: the data set gave no batch");
  return meters.means();
}

}  // namespace espalier::train
