#include "tests/recipe/small_job.h"

#include <fmt/format.h>

#include "espalier/onnx/codec.h"
#include "espalier/zoo/table.h"

namespace espalier::recipe {
namespace {

std::string split(int count, int seed, int batch) {
  return fmt::format(
      "{{dataset: {{name: Synthetic, size: 28, channels: 1, classes: 4, count: {}, seed: {},\n"
      "  transform_ops: [{{NormalizeImage: {{mean: [0.5], std: [0.25], channel_num: 1}}}},\n"
      "  {{ToCHWImage: }}]}}, sampler: {{batch_size: {}}}, loader: {{num_workers: 1}}}}",
      count, seed, batch);
}

}  // namespace

DataSplits synthetic_splits(int count) {
  return parse_data(parse_yaml(split(count, 1, 16), "data.yaml"), ".");
}

std::string small_recipe() {
  return fmt::format(
      "version: 1\nseed: 3\nmodel: {{zoo: FashionCNN, classes: 4}}\n"
      "data:\n  train: {}\n  eval: {}\n  calibration: {{samples: 32}}\n"
      "stages:\n  - train: {{epochs: 3, schedule: {{constant: {{lr: 0.02}}}}}}\n"
      "  - quantize: {{verify: {{allow_slower: true, latency_rounds: 2, max_drop: 50}}}}\n"
      "  - export:\n",
      split(128, 1, 8), split(48, 2, 16));
}

std::string small_qat_recipe(const std::string& quantizers) {
  return fmt::format(
      "version: 1\nseed: 3\nmodel: {{zoo: FashionCNN, classes: 4}}\n"
      "data:\n  train: {}\n  eval: {}\n  calibration: {{samples: 32}}\n"
      "stages:\n  - train: {{epochs: 2, schedule: {{constant: {{lr: 0.02}}}}}}\n"
      "  - quantize:\n      mode: qat\n      train: {{epochs: 2, schedule: {{constant: {{lr: "
      "0.005}}}}}}\n"
      "      quantizers: {}\n"
      "      verify: {{allow_slower: true, latency_rounds: 2, max_drop: 50}}\n",
      split(128, 1, 8), split(48, 2, 16), quantizers);
}

std::filesystem::path write_small_model(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "model.onnx";
  onnx::save(zoo::build("FashionCNN", {.classes = 4, .seed = 5}), path);
  return path;
}

}  // namespace espalier::recipe
