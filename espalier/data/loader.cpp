#include "espalier/data/loader.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>
#include <utility>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <opencv2/core/utility.hpp>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/data/batch_producer.h"
#include "espalier/data/ordered_pipeline.h"

namespace espalier::data {
namespace {

void check_range(std::string_view key, std::int64_t value, std::int64_t lowest,
                 std::int64_t highest) {
  if (value >= lowest && value <= highest) return;
  throw base::UserError({.what = fmt::format("bad value of '{}'", key),
                         .got = fmt::format("{}", value),
                         .expected = fmt::format("a whole number in {}..{}", lowest, highest)});
}

void check_options(const LoaderOptions& options) {
  check_range("batch_size", options.sampler.batch_size, 1, 1'000'000);
  check_range("num_workers", options.loader.num_workers, 0, 256);
  check_range("prefetch_batches", options.loader.prefetch_batches, 1, 64);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

class Loader::State {
 public:
  State(DatasetPtr dataset, std::shared_ptr<const TransformChain> transforms,
        const LoaderOptions& options);

  void start(LoaderPosition position);
  std::optional<Batch> next();

  [[nodiscard]] std::int64_t num_samples() const {
    return static_cast<std::int64_t>(source_.dataset->size());
  }
  [[nodiscard]] LoaderStatistics statistics() const;
  [[nodiscard]] const BatchProducer::Source& source() const { return source_; }
  [[nodiscard]] const LoaderOptions& options() const { return options_; }
  [[nodiscard]] LoaderPosition position() const { return position_; }

 private:
  [[nodiscard]] bool can_deliver(const PlannedBatch& planned) const;
  std::optional<PlannedBatch> pull();
  void note_problems(const PlannedBatch& planned);
  std::optional<Batch> collect();
  std::optional<Batch> finish_epoch(Batch batch, std::int64_t count);
  void copy_rows(Batch& batch, std::int64_t& count);

  BatchProducer::Source source_;
  LoaderOptions options_;
  LoaderPosition position_;
  LoaderStatistics statistics_;
  std::set<std::int64_t> skipped_;
  std::optional<PlannedBatch> rest_;  ///< partly delivered
  std::int64_t rest_row_ = 0;
  std::int64_t delivered_in_epoch_ = 0;
  bool started_ = false;
  std::unique_ptr<OrderedPipeline<PlannedBatch>> pipeline_;
};

Loader::State::State(DatasetPtr dataset, std::shared_ptr<const TransformChain> transforms,
                     const LoaderOptions& options)
    : source_{.dataset = std::move(dataset),
              .transforms = std::move(transforms),
              .policy = options.loader.bad_samples,
              .seed = options.seed,
              .shape = {},
              .batch_size = options.sampler.batch_size},
      options_(options) {
  check_options(options);
  base::check(
      !source_.dataset->encoded() || source_.transforms->decodes(),
      "the data set delivers image files, but nothing decodes them (put DecodeImage first in "
      "the transforms)");
  // Images are decoded side by side; threads inside one image would only get in each other's way.
  cv::setNumThreads(1);
  source_.shape = find_image_shape(*source_.dataset, *source_.transforms, source_.policy);
  constexpr std::int64_t kLargestBatch = std::int64_t{1} << 33;
  base::check(
      source_.shape.num_elements() <= kLargestBatch / options.sampler.batch_size,
      "a batch would be too large: got {} images of {} x {} x {} numbers, expected at most {} "
      "numbers in all (lower 'batch_size')",
      options.sampler.batch_size, source_.shape.channels, source_.shape.height, source_.shape.width,
      kLargestBatch);
}

void Loader::State::start(LoaderPosition position) {
  const std::int64_t samples = num_samples();
  if (position.epoch < 0 || position.sample < 0 || position.sample > samples) {
    throw base::UserError(
        {.what = "a saved position does not fit the data set",
         .got = fmt::format("epoch {}, sample {}", position.epoch, position.sample),
         .expected = fmt::format("at most {} samples", samples),
         .hint = "was the data set changed since the checkpoint?"});
  }
  pipeline_.reset();
  rest_.reset();
  rest_row_ = 0;
  delivered_in_epoch_ = 0;
  position_ = position;
  started_ = true;

  const std::int64_t size = options_.sampler.batch_size;
  // With samples left out a batch may reach into the last, smaller one.
  const bool only_whole = options_.sampler.drop_last && source_.policy == BadSamples::Error;
  const std::int64_t remaining = samples - position.sample;
  const auto producer = std::make_shared<const BatchProducer>(
      source_, position.epoch,
      sample_order(source_.dataset->size(), options_.sampler.shuffle, options_.seed,
                   position.epoch));
  const auto first_of = [=](std::int64_t item) { return position.sample + item * size; };
  const auto rows_of = [=](std::int64_t item) { return std::min(size, samples - first_of(item)); };
  const int workers = static_cast<int>(options_.loader.num_workers);
  const std::int64_t part_rows = std::max<std::int64_t>(1, size / (4 * std::max(workers, 1)));
  PipelineWork<PlannedBatch> work{
      .num_items = only_whole ? remaining / size : (remaining + size - 1) / size,
      .num_parts = [=](std::int64_t item) { return (rows_of(item) + part_rows - 1) / part_rows; },
      .make = [=](std::int64_t item) { return producer->plan(first_of(item), rows_of(item)); },
      .fill =
          [=](PlannedBatch& planned, std::int64_t /*item*/, std::int64_t part) {
            const std::int64_t end = std::min((part + 1) * part_rows, planned.num_rows());
            for (std::int64_t row = part * part_rows; row < end; ++row)
              producer->fill_row(planned, row);
          },
  };
  pipeline_ = std::make_unique<OrderedPipeline<PlannedBatch>>(
      std::move(work),
      PipelineOptions{.num_workers = workers, .window = options_.loader.prefetch_batches + 1});
}

void Loader::State::note_problems(const PlannedBatch& planned) {
  for (std::size_t row = 0; row < planned.problems.size(); ++row) {
    if (planned.problems[row].empty()) continue;
    if (skipped_.insert(planned.batch.indices[row]).second) {
      base::log_warning_once("left out: " + planned.problems[row]);
    }
  }
}

std::optional<PlannedBatch> Loader::State::pull() {
  std::optional<PlannedBatch> planned = pipeline_->next();
  if (planned) note_problems(*planned);
  return planned;
}

std::optional<Batch> Loader::State::next() {
  base::invariant(started_, "Loader::next before Loader::start");
  const auto start = std::chrono::steady_clock::now();
  std::optional<Batch> batch = collect();
  statistics_.last_wait_seconds = seconds_since(start);
  statistics_.wait_seconds += statistics_.last_wait_seconds;
  if (batch) {
    const auto count = static_cast<std::int64_t>(batch->indices.size());
    statistics_.num_samples += count;
    delivered_in_epoch_ += count;
  }
  return batch;
}

/// A planned batch without problems is delivered as it is; after a sample was left out, rows are
/// copied together so that every batch is full.
std::optional<Batch> Loader::State::collect() {
  const std::int64_t size = options_.sampler.batch_size;
  Batch batch;
  std::int64_t count = 0;
  while (count < size) {
    if (!rest_) {
      rest_ = pull();
      rest_row_ = 0;
      if (!rest_) return finish_epoch(std::move(batch), count);
      if (count == 0 && can_deliver(*rest_)) {
        position_.sample = rest_->first_sample + rest_->num_rows();
        return std::move(std::exchange(rest_, std::nullopt)->batch);
      }
    }
    copy_rows(batch, count);
    if (rest_row_ == rest_->num_rows()) rest_.reset();
  }
  return batch;
}

bool Loader::State::can_deliver(const PlannedBatch& planned) const {
  const bool whole = planned.num_rows() == options_.sampler.batch_size;
  const bool last = planned.first_sample + planned.num_rows() == num_samples();
  return planned.complete() && (whole || (last && !options_.sampler.drop_last));
}

/// Copies good rows of `rest_` behind the first `count` rows of `batch`, until one of them is used
/// up.
void Loader::State::copy_rows(Batch& batch, std::int64_t& count) {
  const std::int64_t size = options_.sampler.batch_size;
  const Batch& from = rest_->batch;
  if (!batch.images.defined()) {
    std::vector<std::int64_t> sizes = from.images.sizes().vec();
    sizes[0] = size;
    batch.images = at::empty(sizes, at::kFloat);
    batch.labels = at::empty({size}, at::kLong);
  }
  const auto row_length = static_cast<std::size_t>(from.images.numel() / from.images.size(0));
  for (; rest_row_ < rest_->num_rows() && count < size; ++rest_row_) {
    const auto row = static_cast<std::size_t>(rest_row_);
    position_.sample = rest_->first_sample + rest_row_ + 1;
    if (!rest_->problems[row].empty()) continue;
    std::memcpy(batch.images.data_ptr<float>() + static_cast<std::size_t>(count) * row_length,
                from.images.const_data_ptr<float>() + row * row_length, row_length * sizeof(float));
    batch.labels.data_ptr<std::int64_t>()[count] = from.labels.const_data_ptr<std::int64_t>()[row];
    batch.indices.push_back(from.indices[row]);
    ++count;
  }
}

std::optional<Batch> Loader::State::finish_epoch(Batch batch, std::int64_t count) {
  position_.sample = num_samples();
  if (delivered_in_epoch_ + count == 0 &&
      static_cast<std::int64_t>(skipped_.size()) >= num_samples()) {
    throw base::UserError({.what = "no sample of the data set can be used",
                           .got = fmt::format("{} samples left out", skipped_.size())});
  }
  if (count == 0 || options_.sampler.drop_last) return std::nullopt;
  batch.images = batch.images.narrow(0, 0, count);
  batch.labels = batch.labels.narrow(0, 0, count);
  return batch;
}

LoaderStatistics Loader::State::statistics() const {
  LoaderStatistics result = statistics_;
  result.num_skipped = static_cast<std::int64_t>(skipped_.size() + source_.dataset->num_skipped());
  return result;
}

Loader::Loader(DatasetPtr dataset, std::shared_ptr<const TransformChain> transforms,
               const LoaderOptions& options)
    : state_(std::make_unique<State>(std::move(dataset), std::move(transforms), options)) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

void Loader::start(LoaderPosition position) {
  state_->start(position);
}
std::optional<Batch> Loader::next() {
  return state_->next();
}
LoaderPosition Loader::position() const {
  return state_->position();
}

std::int64_t Loader::batches_per_epoch() const {
  const std::int64_t samples = samples_per_epoch();
  const std::int64_t size = batch_size();
  return state_->options().sampler.drop_last ? samples / size : (samples + size - 1) / size;
}
std::int64_t Loader::samples_per_epoch() const {
  return state_->num_samples();
}
std::int64_t Loader::batch_size() const {
  return state_->options().sampler.batch_size;
}
ImageShape Loader::image_shape() const {
  return state_->source().shape;
}
const Dataset& Loader::dataset() const {
  return *state_->source().dataset;
}
LoaderStatistics Loader::statistics() const {
  return state_->statistics();
}

Loader make_loader(const DataConfig& config, std::uint64_t seed) {
  auto transforms = std::make_shared<const TransformChain>(config.dataset.transforms);
  auto dataset = open_dataset(config.dataset, config.loader.bad_samples);
  return {std::move(dataset),
          std::move(transforms),
          {.sampler = config.sampler, .loader = config.loader, .seed = seed}};
}

}  // namespace espalier::data
