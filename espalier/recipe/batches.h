#pragma once

#include <functional>
#include <memory>

#include "espalier/data/loader.h"
#include "espalier/deploy/verify.h"
#include "espalier/quant/calibrate.h"
#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// Images for calibration, and images that judge the result: never the same ones.
struct QuantizationData {
  data::DatasetPtr calibration;
  data::DatasetPtr judging;
  std::shared_ptr<const data::TransformChain> transforms;  ///< of calibration
  std::shared_ptr<const data::TransformChain> judging_transforms;
  /// Of the training split, where they are random; else those of calibration.
  std::shared_ptr<const data::TransformChain> training_transforms;
  data::LoaderConfig loader;  ///< of calibration
  data::LoaderConfig judging_loader;
  std::uint64_t seed = 0;   ///< of the calibration
  std::string description;  ///< "512 of 50000 training images, seed 1"
};

/// Draws the calibration images from the training split. With a single split, the judging images
/// are the ones that were not drawn. `judging_samples` 0: all. Throws UserError when nothing is
/// left to judge by.
[[nodiscard]] QuantizationData open_quantization_data(const DataSplits& splits,
                                                      const CalibrationConfig& calibration,
                                                      std::int64_t judging_samples);

/// True when a transform draws random numbers: what is measured must see images as inference does.
[[nodiscard]] bool is_random(const std::vector<data::TransformConfig>& transforms);

/// One pass over the calibration images, `batch_size` at a time, in order.
[[nodiscard]] quant::BatchSource calibration_source(const QuantizationData& data,
                                                    std::int64_t batch_size);
/// The same with labels.
[[nodiscard]] deploy::NextBatch labelled_calibration_source(const QuantizationData& data,
                                                            std::int64_t batch_size);
/// The calibration images as training sees them. Running statistics are of such images: weights
/// that were trained with random crops and flips fit theirs, and lose points with others.
[[nodiscard]] deploy::NextBatch training_source(const QuantizationData& data,
                                                std::int64_t batch_size);
/// Passes over the judging images.
[[nodiscard]] std::function<deploy::NextBatch()> judging_source(const QuantizationData& data,
                                                                std::int64_t batch_size);

}  // namespace espalier::recipe
