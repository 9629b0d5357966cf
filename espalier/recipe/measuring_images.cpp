#include "espalier/recipe/measuring_images.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "espalier/base/checksum.h"
#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/base/random.h"
#include "espalier/data/loader.h"
#include "espalier/data/subset.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/recipe/batches.h"
#include "espalier/recipe/model_input.h"

namespace espalier::recipe {
namespace {

/// As many as calibration draws by default.
constexpr std::int64_t kGradientImages = 512;
constexpr std::int64_t kGradientBatch = 64;
/// Images whose statistics are taken together, at most and at least.
constexpr std::int64_t kFurtherBatch = 100;
constexpr std::int64_t kLeastBatch = 8;

/// The split, how its images are transformed, and what to call it.
struct Source {
  const data::DataConfig* config;
  const data::DataConfig* transforms;
  std::string_view name;
};

Source choose_split(const DataSplits& splits) {
  if (splits.only) return {&*splits.only, &*splits.only, "the only split"};
  if (splits.test && splits.eval) return {&*splits.eval, &*splits.eval, "the evaluation split"};
  const data::DataConfig& training = splits.for_training();
  Source source{&training, &training, "the training split"};
  if (!is_random(training.dataset.transforms)) return source;
  base::log_info("measured images use the transforms of the evaluation split");
  source.transforms = &splits.for_evaluation();
  return source;
}

/// Positions in a random order: any number of first ones is a fair sample of all.
std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  base::Random random(seed, /*stream=*/0x5e45);
  random.shuffle(std::span(order));
  return order;
}

std::string_view bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Reads samples in this order, `batch` at a time.
class Reading {
 public:
  Reading(const Source& source, const DataSplits& splits, const ir::Graph& graph)
      : source_(source),
        splits_(splits),
        graph_(graph),
        all_(data::open_dataset(source.config->dataset, source.config->loader.bad_samples)),
        chain_(chain_of(*source.transforms)),
        training_chain_(chain_of(is_random(splits.for_training().dataset.transforms)
                                     ? splits.for_training()
                                     : *source.transforms)) {}

  [[nodiscard]] std::size_t size() const { return all_->size(); }

  [[nodiscard]] std::vector<data::Batch> read(const std::vector<std::size_t>& order,
                                              std::int64_t batch) const {
    const std::vector<data::Batch> first = read_by(chain_, {order.front()}, 1, /*seed=*/0);
    if (!first.empty()) check_images(graph_, first.front().images, splits_.source);
    return read_by(chain_, order, batch, /*seed=*/0);
  }

  /// As training sees them, with random transforms drawn by the seed; as `read` where training
  /// takes them in another size.
  [[nodiscard]] std::vector<data::Batch> read_for_statistics(const std::vector<std::size_t>& order,
                                                             std::int64_t batch,
                                                             std::uint64_t seed) const {
    const std::vector<data::Batch> usual = read_by(chain_, {order.front()}, 1, seed);
    const std::vector<data::Batch> first = read_by(training_chain_, {order.front()}, 1, seed);
    const bool same_size = !usual.empty() && !first.empty() &&
                           first.front().images.sizes() == usual.front().images.sizes();
    return read_by(same_size ? training_chain_ : chain_, order, batch, seed);
  }

 private:
  using Chain = std::shared_ptr<const data::TransformChain>;

  static Chain chain_of(const data::DataConfig& config) {
    return std::make_shared<const data::TransformChain>(config.dataset.transforms);
  }

  [[nodiscard]] std::vector<data::Batch> read_by(const Chain& chain,
                                                 const std::vector<std::size_t>& order,
                                                 std::int64_t batch, std::uint64_t seed) const {
    const auto part = std::make_shared<const data::Subset>(all_, order);
    data::Loader loader(
        part, chain,
        {.sampler = {.batch_size = batch}, .loader = source_.config->loader, .seed = seed});
    loader.start();
    std::vector<data::Batch> batches;
    while (std::optional<data::Batch> next = loader.next()) {
      batches.push_back(std::move(*next));
    }
    return batches;
  }

  const Source& source_;
  const DataSplits& splits_;
  const ir::Graph& graph_;
  data::DatasetPtr all_;
  Chain chain_;
  Chain training_chain_;
};

void count_and_name(MeasuringImages& result) {
  std::string ids;
  for (std::size_t index = 0; index < result.batches.size(); ++index) {
    result.images += result.batches[index].size(0);
    const Tensor labels = result.labels[index].contiguous();
    result.labelled += labels.ge(0).sum().item<std::int64_t>();
    const Tensor images = result.batches[index].contiguous();
    ids += base::content_id(bytes_of(images)) + base::content_id(bytes_of(labels));
    result.batches[index] =
        images.dim() == 4 ? images.contiguous(at::MemoryFormat::ChannelsLast) : images;
  }
  result.id = base::content_id(ids);
}

}  // namespace

MeasuringImages read_measuring_images(const DataSplits& splits, const ir::Graph& graph,
                                      const MeasuringOptions& options) {
  const Source source = choose_split(splits);
  const Reading reading(source, splits, graph);
  const std::optional<std::int64_t> fixed = deploy::fixed_batch(graph);
  const std::int64_t batch = std::max<std::int64_t>(fixed.value_or(options.batch), 1);
  const auto available = static_cast<std::int64_t>(reading.size());
  std::int64_t count = std::min(options.samples, available);
  if (fixed) count -= count % batch;
  if (count < 2 || count + options.further > available) {
    throw base::UserError(
        {.what = "too few images to measure sensitivities",
         .where = splits.source,
         .got = fmt::format("{} images in {}", available, source.name),
         .expected = fmt::format(
             "at least {}", std::max(std::max<std::int64_t>(2, batch), count) + options.further),
         .hint = options.further > 0 ? "lower --samples or --reestimate-bn" : ""});
  }
  if (options.further > 0 && fixed && *fixed < kLeastBatch) {
    throw base::UnsupportedError(
        {.what = "cannot re-estimate BatchNormalization",
         .where = splits.source,
         .got = fmt::format("a model that fixes a batch of {}", *fixed),
         .expected = fmt::format("at least {} images that give statistics together", kLeastBatch),
         .hint = "export the model with a dynamic batch"});
  }
  std::vector<std::size_t> order = shuffled(reading.size(), options.seed);
  MeasuringImages result;
  for (data::Batch& part : reading.read({order.begin(), order.begin() + count}, batch)) {
    result.batches.push_back(std::move(part.images));
    result.labels.push_back(std::move(part.labels));
  }
  if (options.further > 0) {
    const auto start = order.begin() + count;
    // Batches of equal sizes, so that the last one is not a few images.
    const std::int64_t batches = (options.further + kFurtherBatch - 1) / kFurtherBatch;
    const std::int64_t size = fixed.value_or((options.further + batches - 1) / batches);
    const std::int64_t images = fixed ? options.further - options.further % size : options.further;
    if (images == 0) {
      throw base::UserError(
          {.what = "too few images to re-estimate BatchNormalization",
           .where = splits.source,
           .got = fmt::format("{}", options.further),
           .expected = fmt::format("at least {}, the batch that the model fixes", size),
           .hint = "raise --reestimate-bn"});
    }
    for (data::Batch& part :
         reading.read_for_statistics({start, start + images}, size, options.seed)) {
      result.further.push_back(std::move(part.images));
    }
  }
  count_and_name(result);
  result.description = fmt::format("{} of {} images of {}, seed {}", result.images, available,
                                   source.name, options.seed);
  return result;
}

std::vector<data::Batch> read_gradient_images(const DataSplits& splits, const ir::Graph& graph,
                                              const MeasuringOptions& options) {
  const Source source = choose_split(splits);
  const Reading reading(source, splits, graph);
  const std::int64_t batch = deploy::fixed_batch(graph).value_or(kGradientBatch);
  const auto available = static_cast<std::int64_t>(reading.size());
  const std::int64_t used = std::min(options.samples + options.further, available);
  std::int64_t count = std::min(available - used, kGradientImages);
  if (deploy::fixed_batch(graph)) count -= count % batch;
  if (count < 1) {
    throw base::UserError(
        {.what = "no images are left for the criterion's gradients",
         .where = splits.source,
         .got = fmt::format("{} images in {}, {} of which measure", available, source.name, used),
         .expected = "further ones",
         .hint = "lower --samples, or choose a criterion of the weights alone, such as l1"});
  }
  const std::vector<std::size_t> order = shuffled(reading.size(), options.seed);
  const auto start = order.begin() + used;
  return reading.read({start, start + count}, batch);
}

}  // namespace espalier::recipe
