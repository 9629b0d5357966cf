#include "tests/recipe/strategy_run.h"

#include <vector>

#include <fmt/format.h>

#include "espalier/train/checkpoint.h"

namespace espalier::recipe {

namespace fs = std::filesystem;

RunOptions quiet_run(const fs::path& output, bool resume) {
  return {.output = output,
          .resume = resume,
          .threads = 1,
          .command = "espalier train",
          .progress = report::ProgressStyle::Quiet};
}

Recipe strategy_recipe(const std::string& strategies, const std::string& keys) {
  const std::string split =
      "{dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 24, seed: 1,\n"
      "  transform_ops: [{NormalizeImage: {mean: [0.5], std: [0.25], channel_num: 1}},\n"
      "  {ToCHWImage: }]}, sampler: {batch_size: 8}, loader: {num_workers: 0}}";
  const std::string text = fmt::format(
      "version: 1\nseed: 3\nmodel: {{zoo: FashionCNN, classes: 4}}\n"
      "data: {{train: {0}, eval: {0}, calibration: {{samples: 8}}}}\n"
      "stages:\n"
      "- train: {{epochs: 4, schedule: {{constant: {{lr: 0.01}}}}, {1}\n"
      "    keep_checkpoints: 100, checkpoint_every_steps: 1,\n"
      "    strategies: [{2}]}}\n",
      split, keys, strategies);
  return parse_recipe(parse_yaml(text, "r.yaml"), ".");
}

void kill_after(const fs::path& run, std::int64_t step) {
  const fs::path checkpoints = run / "checkpoints";
  std::vector<fs::path> gone{checkpoints / "stage-0.espalier", run / "model.onnx"};
  const fs::path best = checkpoints / "stage-0/best.espalier";
  if (train::read_checkpoint(best).state->step > step) gone.push_back(best);
  for (const auto& entry : fs::directory_iterator(checkpoints / "stage-0")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name > fmt::format("step-{:08}.espalier", step)) {
      gone.push_back(entry.path());
    }
    if (step <= 6 && name.starts_with("before-quantization")) gone.push_back(entry.path());
  }
  for (const fs::path& path : gone) fs::remove(path);
}

}  // namespace espalier::recipe
