// loader_share: (training step that takes its batch from the loader - step with a ready batch) /
// step, on JPEG files of 32 x 32 and 224 x 224 pixels with the usual augmentation. The row is the
// worse of the two.
#include <algorithm>
#include <array>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "benchmarks/jpeg_folder.h"
#include "benchmarks/suite.h"
#include "benchmarks/training_step.h"
#include "espalier/base/error.h"
#include "espalier/data/loader.h"
#include "espalier/deploy/latency.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

constexpr std::int64_t kClasses = 10;

struct Size {
  std::int64_t pixels;
  std::int64_t batch;
  std::int64_t files;
};
constexpr std::array<Size, 2> kSizes = {{{32, 64, 1024}, {224, 16, 128}}};

data::DataConfig data_config(const JpegFolder& folder, const Size& size) {
  data::DataConfig config;
  config.dataset = {
      .name = "ImageNetDataset",
      .parameters = {{"image_root", folder.path().string()},
                     {"cls_label_path", (folder.path() / "list.txt").string()}},
      .transforms = {{.name = "DecodeImage"},
                     {.name = "RandCropImage", .parameters = {{"size", size.pixels}}},
                     {.name = "RandFlipImage", .parameters = {{"flip_code", std::int64_t{1}}}},
                     {.name = "NormalizeImage"},
                     {.name = "ToCHWImage"}}};
  config.sampler = {.batch_size = size.batch, .shuffle = true, .drop_last = true};
  return config;
}

/// Endless batches from the loader.
class Stream {
 public:
  explicit Stream(data::Loader loader) : loader_(std::move(loader)) { loader_.start(); }

  data::Batch next() {
    while (true) {
      if (auto batch = loader_.next()) return std::move(*batch);
      loader_.start({.epoch = ++epoch_});
    }
  }

 private:
  data::Loader loader_;
  std::int64_t epoch_ = 0;
};

/// Times `steps` runs after a few that empty what was prefetched while others ran.
double median_step(int steps, const std::function<void()>& step) {
  const std::vector<deploy::LatencySubject> subjects = {{.name = "step", .run = step}};
  return deploy::measure_interleaved(subjects, {.rounds = steps, .warm_up = 4, .min_sample_ms = 0})
      .front()
      .median_ms;
}

}  // namespace

Numbers loader_share_child(std::span<const std::string> arguments) {
  const Size& size = kSizes.at(std::stoul(arguments[0]));
  at::set_num_threads(std::stoi(arguments[1]));
  const int steps = std::stoi(arguments[2]);
  const JpegFolder folder(size.files, size.pixels, kClasses);
  Stream stream(data::make_loader(data_config(folder, size), /*seed=*/1));
  TrainingStep step(
      zoo::build("MobileNetV1", {.classes = kClasses, .image_size = size.pixels, .seed = 1}));
  const data::Batch ready = stream.next();
  deploy::LatencySummary with{.name = "with loader"};
  deploy::LatencySummary without{.name = "ready batches"};
  constexpr int kBlocks = 4;
  for (int block = 0; block < kBlocks; ++block) {
    without.samples_ms.push_back(median_step(steps, [&] { step.run(ready); }));
    with.samples_ms.push_back(median_step(steps, [&] { step.run(stream.next()); }));
  }
  const deploy::LatencyRatio ratio = deploy::paired_ratio(with, without);
  return {{"share", ratio.ratio - 1},
          {"with_ms", with.samples_ms.back()},
          {"ready_ms", without.samples_ms.back()}};
}

std::vector<Row> measure_loader_share(const SuiteOptions& options) {
  constexpr double kTarget = 0.05;
  Row row{.name = "loader_share", .value = -1, .target = kTarget};
  try {
    for (std::size_t index = 0; index < kSizes.size(); ++index) {
      Numbers numbers = run_child(child_command(
          "loader_share",
          {fmt::to_string(index), fmt::to_string(options.threads), options.quick ? "3" : "15"}));
      row.value = std::max(row.value, numbers["share"]);
      row.detail += fmt::format("{}{}x{}: {:.3f} ({:.1f} ms / {:.1f} ms)", index == 0 ? "" : ", ",
                                kSizes.at(index).pixels, kSizes.at(index).pixels, numbers["share"],
                                numbers["with_ms"], numbers["ready_ms"]);
    }
  } catch (const base::UserError& error) {
    row.failure = error.what();
  }
  return {row};
}

}  // namespace espalier::benchmarks
