#include "espalier/recipe/verification.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "espalier/data/loader.h"
#include "espalier/data/subset.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/deploy/operator_check.h"
#include "espalier/deploy/verdict.h"
#include "espalier/recipe/evaluation.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/model_source.h"
#include "espalier/recipe/report.h"

namespace espalier::recipe {
namespace {

constexpr std::int64_t kBatch = 64;
/// Images that are looked at operator by operator, where the file does not fix the batch.
constexpr std::int64_t kCheckedImages = 8;

struct Images {
  data::DatasetPtr dataset;
  std::function<deploy::NextBatch()> batches;
};

Images open_images(const VerificationRequest& request) {
  const data::DataConfig& config = request.data.for_judging();
  Images images{.dataset = data::open_dataset(config.dataset, config.loader.bad_samples),
                .batches = {}};
  if (request.config.samples > 0) {
    images.dataset = data::random_samples(
        images.dataset, static_cast<std::size_t>(request.config.samples), request.seed);
  }
  auto chain = std::make_shared<const data::TransformChain>(config.dataset.transforms);
  images.batches = [dataset = images.dataset, chain, loader = config.loader] {
    auto pass = std::make_shared<data::Loader>(
        dataset, chain, data::LoaderOptions{.sampler = {.batch_size = kBatch}, .loader = loader});
    pass->start();
    return deploy::NextBatch([pass] { return pass->next(); });
  };
  return images;
}

}  // namespace

deploy::VerifyBounds bounds_of(const VerifyConfig& config) {
  return {.max_drop = config.max_drop,
          .min_agreement = config.min_agreement,
          .min_simulation_agreement = config.min_simulation_agreement,
          .min_value_sqnr_db = config.min_value_sqnr_db,
          .min_integer_mac_share = config.min_integer_mac_share,
          .allow_slower = config.allow_slower};
}

VerificationOutcome verify_files(const VerificationRequest& request) {
  const Images images = open_images(request);
  QuantizationResult result;
  result.float_model = onnx_bytes(request.original);
  result.quantized_model = onnx_bytes(request.quantized);
  result.judging_images = static_cast<std::int64_t>(images.dataset->size());
  result.left_out = static_cast<std::int64_t>(images.dataset->num_skipped());
  const ir::Graph graph = load_model({.source = ModelFile{.path = request.original}});
  // Compared with itself, any file would pass.
  refuse_quantized(graph, fmt::format("'{}', given as the float model, is quantized",
                                      request.original.string()));
  std::vector<Tensor> some;
  if (const deploy::NextBatch next = images.batches(); const auto batch = next()) {
    check_images(graph, batch->images, request.data.source);
    const ir::Graph shipped = load_model({.source = ModelFile{.path = request.quantized}});
    const std::int64_t count = deploy::fixed_batch(shipped).value_or(kCheckedImages);
    if (batch->images.size(0) >= count) some = {batch->images.narrow(0, 0, count)};
  }
  const Runner simulation = open_runner(request.quantized, "espalier", request.threads);
  report::Progress progress({.title = "verify",
                             .total = result.judging_images,
                             .unit = "images",
                             .style = request.progress});
  result.verification =
      deploy::verify({.float_model = result.float_model,
                      .quantized_model = result.quantized_model,
                      .simulate = simulation,
                      .reference = open_runner(request.original, "espalier", request.threads),
                      .batches = images.batches,
                      .engines = request.config.engines,
                      .bounds = bounds_of(request.config),
                      .outputs = request.config.outputs,
                      .threads = request.threads,
                      .latency_rounds = request.config.latency_rounds,
                      .progress = [&](std::int64_t done) { progress.update(done); }});
  progress.finish();
  if (!some.empty()) {
    result.operators = deploy::check_operators({.quantized_model = result.quantized_model,
                                                .images = some,
                                                .engines = request.config.engines,
                                                .threads = request.threads});
    deploy::judge_operators(result.verification, result.operators);
  }
  VerificationOutcome outcome;
  outcome.passed = result.verification.passed();
  outcome.json = report_json({.title = request.quantized.stem().string(),
                              .seed = request.seed,
                              .threads = request.threads,
                              .graph = &graph,
                              .quantization = &result});
  outcome.text = report_text(outcome.json);
  return outcome;
}

}  // namespace espalier::recipe
