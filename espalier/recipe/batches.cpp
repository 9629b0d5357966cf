#include "espalier/recipe/batches.h"

#include <algorithm>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/data/subset.h"

namespace espalier::recipe {
namespace {

std::shared_ptr<const data::TransformChain> make_chain(const data::DataConfig& config) {
  return std::make_shared<const data::TransformChain>(config.dataset.transforms);
}

std::shared_ptr<data::Loader> make_ordered_loader(const data::DatasetPtr& dataset,
                                                  std::shared_ptr<const data::TransformChain> chain,
                                                  const data::LoaderConfig& loader,
                                                  std::int64_t batch_size, std::uint64_t seed = 0) {
  const data::LoaderOptions options{
      .sampler = {.batch_size = batch_size}, .loader = loader, .seed = seed};
  auto result = std::make_shared<data::Loader>(dataset, std::move(chain), options);
  result->start();
  return result;
}

/// Splits one data set into calibration and judging images.
void split_single(QuantizationData& result, const data::DatasetPtr& all,
                  const CalibrationConfig& calibration) {
  const std::size_t total = all->size();
  if (total < 2) {
    throw base::UserError({.what = "too few images to calibrate and to judge the result",
                           .got = fmt::format("{}", total),
                           .expected = "at least 2"});
  }
  const std::size_t count = std::min(calibration.samples, (total + 1) / 2);
  if (count < calibration.samples) {
    base::log_info("one set of {} images: {} of them, drawn, to calibrate, {} to judge", total,
                   count, total - count);
  }
  data::HeldOut parts = data::hold_out(all, count, calibration.seed);
  result.calibration = std::move(parts.held_out);
  result.judging = std::move(parts.rest);
}

}  // namespace

bool is_random(const std::vector<data::TransformConfig>& transforms) {
  return std::ranges::any_of(transforms, [](const data::TransformConfig& transform) {
    return transform.name.find("Rand") != std::string::npos;
  });
}

QuantizationData open_quantization_data(const DataSplits& splits,
                                        const CalibrationConfig& calibration,
                                        std::int64_t judging_samples) {
  const data::DataConfig& training = splits.for_training();
  QuantizationData result;
  result.loader = training.loader;
  result.judging_loader = training.loader;
  result.transforms = make_chain(training);
  result.judging_transforms = result.transforms;
  const data::DatasetPtr all = data::open_dataset(training.dataset, training.loader.bad_samples);
  if (splits.only) {
    split_single(result, all, calibration);
  } else {
    const data::DataConfig& evaluation = splits.for_judging();
    result.judging = data::open_dataset(evaluation.dataset, evaluation.loader.bad_samples);
    result.judging_transforms = make_chain(evaluation);
    result.judging_loader = evaluation.loader;
    result.calibration = data::random_samples(all, calibration.samples, calibration.seed);
    if (is_random(training.dataset.transforms)) {
      base::log_info("calibration uses the transforms of the evaluation split");
      result.transforms = result.judging_transforms;
    }
  }
  result.training_transforms =
      is_random(training.dataset.transforms) ? make_chain(training) : result.transforms;
  result.seed = calibration.seed;
  result.description = fmt::format("{} of {} images, seed {}", result.calibration->size(),
                                   all->size(), calibration.seed);
  if (judging_samples > 0) {
    result.judging = data::random_samples(result.judging, static_cast<std::size_t>(judging_samples),
                                          calibration.seed);
  }
  return result;
}

deploy::NextBatch labelled_calibration_source(const QuantizationData& data,
                                              std::int64_t batch_size) {
  auto loader = make_ordered_loader(data.calibration, data.transforms, data.loader, batch_size);
  return [loader]() { return loader->next(); };
}

deploy::NextBatch training_source(const QuantizationData& data, std::int64_t batch_size) {
  auto loader = make_ordered_loader(data.calibration, data.training_transforms, data.loader,
                                    batch_size, data.seed);
  return [loader]() { return loader->next(); };
}

quant::BatchSource calibration_source(const QuantizationData& data, std::int64_t batch_size) {
  return [next = labelled_calibration_source(data, batch_size)]() -> std::vector<Tensor> {
    std::optional<data::Batch> batch = next();
    if (!batch) return {};
    return {batch->images};
  };
}

std::function<deploy::NextBatch()> judging_source(const QuantizationData& data,
                                                  std::int64_t batch_size) {
  return [data, batch_size]() -> deploy::NextBatch {
    auto loader =
        make_ordered_loader(data.judging, data.judging_transforms, data.judging_loader, batch_size);
    return [loader]() { return loader->next(); };
  };
}

}  // namespace espalier::recipe
