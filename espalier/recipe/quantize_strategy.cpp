#include "espalier/recipe/quantize_strategy.h"

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/recipe/plan_yaml.h"
#include "espalier/recipe/quantization.h"
#include "espalier/train/checkpoint.h"

namespace espalier::recipe {
namespace {

std::filesystem::path model_path(const std::filesystem::path& checkpoints) {
  return checkpoints / "before-quantization.espalier";
}

std::filesystem::path plan_path(const std::filesystem::path& checkpoints) {
  return checkpoints / "before-quantization.yaml";
}

class Quantize final : public train::Strategy {
 public:
  Quantize(const train::EpochSpan& span, const TrainQuantizeConfig& config,
           const StrategyContext& context)
      : span_(span), config_(config), context_(context) {}

  [[nodiscard]] std::string describe() const override {
    return fmt::format("quantize, epochs {} to {}", span_.start, span_.end);
  }
  [[nodiscard]] train::EpochSpan span() const override { return span_; }
  [[nodiscard]] bool rewrites() const override { return true; }

  void before_start(const ir::Graph& evaluated) override {
    train::write_checkpoint(model_path(context_.checkpoints), {.graph = evaluated.clone()});
  }

  std::optional<train::Rewrite> on_start(ir::Graph& graph, const exec::Program&) override {
    base::invariant(context_.data != nullptr, "a training that is quantized without its data");
    const quant::QuantPlan plan = calibrated_plan({.graph = graph,
                                                   .data = *context_.data,
                                                   .calibration = context_.calibration,
                                                   .stage = {.plan = config_.plan},
                                                   .opset = config_.opset,
                                                   .threads = context_.threads,
                                                   .progress = context_.progress});
    base::write_file_atomic(plan_path(context_.checkpoints), print_plan(plan));
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
    base::write_file_atomic(path, encode_trained(trained, start.plan, config_.opset));
    base::log_info("written: {}", path.string());
  }

 private:
  train::EpochSpan span_;
  const TrainQuantizeConfig& config_;
  const StrategyContext& context_;
};

}  // namespace

QuantizationStart load_quantization_start(const std::filesystem::path& checkpoints) {
  for (const auto& path : {model_path(checkpoints), plan_path(checkpoints)}) {
    if (std::filesystem::exists(path)) continue;
    throw base::UserError({.what = "cannot go on with a training that has quantizers",
                           .where = checkpoints.string(),
                           .got = fmt::format("no '{}'", path.filename().string()),
                           .expected = "the files that it wrote when quantization began",
                           .hint = "start the training anew, without --resume"});
  }
  return {.float_model = train::read_checkpoint(model_path(checkpoints)).graph,
          .plan = load_plan(plan_path(checkpoints))};
}

std::unique_ptr<train::Strategy> make_quantize_strategy(const train::EpochSpan& span,
                                                        const TrainQuantizeConfig& config,
                                                        const StrategyContext& context) {
  return std::make_unique<Quantize>(span, config, context);
}

}  // namespace espalier::recipe
