#include "espalier/data/batch_producer.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/random.h"

namespace espalier::data {
namespace {

/// Streams of random numbers: shuffling one an epoch, augmentation one an epoch and sample.
enum Stream : std::uint64_t { kShuffle = 1, kAugment = 2 };

base::UserError unusable(const Dataset& dataset, std::size_t index,
                         const base::UserError& problem) {
  return base::UserError(
      fmt::format("cannot use a sample: {}: {}", dataset.describe(index), problem.what()));
}

std::string to_text(const ImageShape& shape) {
  return fmt::format("{} x {} with {} channel{}", shape.width, shape.height, shape.channels,
                     shape.channels == 1 ? "" : "s");
}

at::Tensor make_images(std::int64_t count, const ImageShape& shape) {
  return at::empty({count, shape.channels, shape.height, shape.width}, at::kFloat);
}

}  // namespace

bool PlannedBatch::complete() const {
  return std::ranges::all_of(problems, [](const std::string& text) { return text.empty(); });
}

BatchProducer::BatchProducer(Source source, std::int64_t epoch, std::vector<std::size_t> order)
    : source_(std::move(source)),
      epoch_(static_cast<std::uint64_t>(epoch)),
      order_(std::move(order)) {}

PlannedBatch BatchProducer::plan(std::int64_t first, std::int64_t count) const {
  PlannedBatch planned{
      .batch = {.images = make_images(count, source_.shape),
                .labels = at::empty({count}, at::kLong),
                .indices = std::vector<std::int64_t>(static_cast<std::size_t>(count))},
      .first_sample = first,
      .problems = std::vector<std::string>(static_cast<std::size_t>(count))};
  return planned;
}

void BatchProducer::fill_row(PlannedBatch& planned, std::int64_t row) const {
  const std::size_t index = order_[static_cast<std::size_t>(planned.first_sample + row)];
  planned.batch.indices[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(index);
  try {
    write_row(planned, row);
  } catch (const base::UserError& problem) {
    if (source_.policy == BadSamples::Error) throw;
    planned.problems[static_cast<std::size_t>(row)] = problem.what();
  }
}

void BatchProducer::write_row(PlannedBatch& planned, std::int64_t row) const {
  const auto index = static_cast<std::size_t>(planned.batch.indices[static_cast<std::size_t>(row)]);
  const Dataset& dataset = *source_.dataset;
  const Sample sample = dataset.read(index);
  base::Random random(base::mix(source_.seed, kAugment), base::mix(epoch_, index));
  try {
    const TransformChain::Result result = source_.transforms->run(sample, random);
    if (result.shape() != source_.shape) {
      if (source_.batch_size > 1) {
        throw base::UserError(
            {.what = "the images of a batch differ in size",
             .got = to_text(result.shape()),
             .expected = to_text(source_.shape),
             .hint = "end with CropImage or ResizeImage's 'size', or use batch_size 1"});
      }
      planned.batch.images = make_images(1, result.shape());
    }
    const auto length = static_cast<std::size_t>(result.shape().num_elements());
    float* planes = planned.batch.images.data_ptr<float>();
    source_.transforms->write(result,
                              std::span(planes + static_cast<std::size_t>(row) * length, length));
  } catch (const base::UserError& problem) {
    throw unusable(dataset, index, problem);
  }
  planned.batch.labels.data_ptr<std::int64_t>()[row] = sample.label;
}

ImageShape find_image_shape(const Dataset& dataset, const TransformChain& transforms,
                            BadSamples policy) {
  constexpr std::size_t kTries = 100;
  std::string first_problem;
  for (std::size_t index = 0; index < std::min(dataset.size(), kTries); ++index) {
    try {
      const Sample sample = dataset.read(index);
      base::Random random(0);
      try {
        return transforms.run(sample, random).shape();
      } catch (const base::UserError& problem) {
        if (policy == BadSamples::Error) throw unusable(dataset, index, problem);
        throw base::UserError(fmt::format("{}: {}", dataset.describe(index), problem.what()));
      }
    } catch (const base::UserError& problem) {
      if (policy == BadSamples::Error) throw;
      if (first_problem.empty()) first_problem = problem.what();
    }
  }
  throw base::UserError({.what = "no sample of the data set can be used",
                         .where = "the first",
                         .got = first_problem});
}

std::vector<std::size_t> sample_order(std::size_t size, bool shuffle, std::uint64_t seed,
                                      std::int64_t epoch) {
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (shuffle) {
    base::Random random(base::mix(seed, kShuffle), static_cast<std::uint64_t>(epoch));
    random.shuffle(std::span(order));
  }
  return order;
}

}  // namespace espalier::data
