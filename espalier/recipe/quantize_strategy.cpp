#include "espalier/recipe/quantize_strategy.h"

#include <algorithm>
#include <utility>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/passes/open_batch.h"
#include "espalier/recipe/plan_yaml.h"
#include "espalier/recipe/quantization.h"
#include "espalier/train/checkpoint.h"

namespace espalier::recipe {
namespace {

/// Of the plan's text, which lies with the model so that its checksum guards both.
constexpr const char* kPlanSlot = "text/plan";

std::filesystem::path start_path(const std::filesystem::path& checkpoints) {
  return checkpoints / "before-quantization.espalier";
}

Tensor bytes_of(const std::string& text) {
  Tensor bytes = at::empty({std::ssize(text)}, at::kByte);
  std::ranges::copy(text, bytes.mutable_data_ptr<std::uint8_t>());
  return bytes;
}

std::string text_of(const Tensor& bytes) {
  const std::uint8_t* first = bytes.const_data_ptr<std::uint8_t>();
  return {first, first + bytes.numel()};
}

class Quantize final : public train::Strategy {
 public:
  Quantize(const train::EpochSpan& span, const TrainQuantizeConfig& config,
           const StrategyContext& context)
      : span_(span), config_(config), context_(context) {}

  [[nodiscard]] std::string describe() const override {
    return fmt::format("quantize, start_epoch {}, end_epoch {}", span_.start, span_.end);
  }
  [[nodiscard]] train::EpochSpan span() const override { return span_; }
  [[nodiscard]] bool rewrites() const override { return true; }

  void before_start(const ir::Graph& evaluated) override { before_ = evaluated.clone(); }

  std::optional<train::Rewrite> on_start(ir::Graph& graph, const exec::Program&) override {
    base::invariant(context_.data != nullptr, "a training that is quantized without its data");
    const quant::QuantPlan plan = calibrated_plan({.graph = graph,
                                                   .data = *context_.data,
                                                   .calibration = context_.calibration,
                                                   .stage = {.plan = config_.plan},
                                                   .opset = config_.opset,
                                                   .threads = context_.threads,
                                                   .progress = context_.progress});
    base::invariant(before_.has_value(), "quantizers begin behind a model");
    train::write_checkpoint(start_path(context_.checkpoints),
                            {.graph = *std::exchange(before_, std::nullopt),
                             .slots = {{kPlanSlot, bytes_of(print_plan(plan))}}});
    graph = training_graph(graph, plan, config_.quantizers);
    return train::Rewrite{};
  }

  void on_resume(const ir::Graph&, const exec::Program&) override {
    static_cast<void>(load_quantization_start(context_.checkpoints));
  }

  void on_end(const ir::Graph& model, const train::EpochRecord&) override {
    const QuantizationStart start = load_quantization_start(context_.checkpoints);
    const std::filesystem::path path = context_.folder / config_.file;
    ir::Graph trained = model.clone();
    if (config_.reestimate_batch_norm) {
      reestimate_batch_norm(trained, *context_.data, context_.calibration);
    }
    passes::run(trained, {passes::close_batch()});
    base::write_file_atomic(path, encode_trained(trained, start.plan, config_.opset));
    base::log_info("written: {}", path.string());
  }

 private:
  train::EpochSpan span_;
  const TrainQuantizeConfig& config_;
  const StrategyContext& context_;
  std::optional<ir::Graph> before_;  ///< the float model of the moment at which quantizers begin
};

}  // namespace

QuantizationStart load_quantization_start(const std::filesystem::path& checkpoints) {
  const std::filesystem::path path = start_path(checkpoints);
  const auto refuse = [&](const std::string& got) {
    throw base::UserError({.what = "cannot go on with a training that has quantizers",
                           .where = checkpoints.string(),
                           .got = got,
                           .expected = "the file that it wrote when quantization began",
                           .hint = "start the training anew, without --resume"});
  };
  if (!std::filesystem::exists(path)) refuse(fmt::format("no '{}'", path.filename().string()));
  train::Checkpoint start;
  try {
    start = train::read_checkpoint(path);
  } catch (const base::UserError& error) {
    refuse(error.what());
  }
  const auto plan = start.slots.find(kPlanSlot);
  passes::run(start.graph, {passes::close_batch()});
  if (plan == start.slots.end()) refuse(fmt::format("no plan in '{}'", path.filename().string()));
  return {.float_model = std::move(start.graph),
          .plan = parse_plan(text_of(plan->second), path.string())};
}

std::unique_ptr<train::Strategy> make_quantize_strategy(const train::EpochSpan& span,
                                                        const TrainQuantizeConfig& config,
                                                        const StrategyContext& context) {
  return std::make_unique<Quantize>(span, config, context);
}

}  // namespace espalier::recipe
