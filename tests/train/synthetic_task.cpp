#include "tests/train/synthetic_task.h"

#include <chrono>
#include <thread>

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include "espalier/base/random.h"
#include "espalier/zoo/builder.h"

namespace espalier::train {
namespace {

constexpr std::int64_t kSide = 8;

void fill_image(float* image, std::int64_t label, base::Random& random) {
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t column = 0; column < kSide; ++column) {
      const std::int64_t quadrant = (row >= kSide / 2 ? 2 : 0) + (column >= kSide / 2 ? 1 : 0);
      image[row * kSide + column] =
          static_cast<float>(random.normal() + (quadrant == label ? 1.0 : 0.0));
    }
  }
}

}  // namespace

std::optional<data::Batch> SyntheticSource::next() {
  if (position_.offset >= options_.batches) return std::nullopt;
  if (options_.pause_milliseconds > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.pause_milliseconds));
  }
  base::Random random(options_.seed, base::mix(static_cast<std::uint64_t>(position_.epoch),
                                               static_cast<std::uint64_t>(position_.offset)));
  data::Batch batch{.images = at::empty({options_.batch_size, 1, kSide, kSide}, at::kFloat),
                    .labels = at::empty({options_.batch_size}, at::kLong),
                    .indices = {}};
  for (std::int64_t sample = 0; sample < options_.batch_size; ++sample) {
    const auto label = static_cast<std::int64_t>(random.below(4));
    batch.labels.mutable_data_ptr<std::int64_t>()[sample] = label;
    fill_image(batch.images.mutable_data_ptr<float>() + sample * kSide * kSide, label, random);
    batch.indices.push_back(position_.offset * options_.batch_size + sample);
  }
  ++position_.offset;
  return batch;
}

ir::Graph synthetic_model(std::uint64_t seed) {
  zoo::Builder builder("synthetic", seed);
  const zoo::Flow flow = builder.image("image", 1, kSide, kSide)
                             .conv({.name = "conv", .channels = 6, .stride = 2})
                             .batch_norm({.name = "norm"})
                             .relu()
                             .flatten()
                             .dropout(0.25F)
                             .gemm({.name = "head", .outputs = 4});
  return builder.finish(flow, "logits");
}

TrainOptions synthetic_options() {
  TrainOptions options;
  options.epochs = 3;
  options.seed = 5;
  options.optimizer = SgdOptions{.momentum = 0.9, .nesterov = true};
  options.groups = {.weight_decay = 1e-3, .decay_norms = false};
  options.schedule = {.shape = CosineSchedule{.lr = 0.1},
                      .warm_up = {.steps = 2, .start_lr = 0.01}};
  options.log_every_steps = 0;
  options.checkpoints.config = "epochs: 3\n";
  return options;
}

TrainOptions elaborate_options() {
  TrainOptions options = synthetic_options();
  options.optimizer = AdamOptions{.decoupled_decay = true};
  options.schedule.shape = CosineSchedule{.lr = 0.01};
  options.clip = {.kind = ClipOptions::Kind::GlobalNorm, .limit = 0.5};
  options.ema = {.decay = 0.8};
  options.freezes = {{.pattern = "conv.weight", .from_epoch = 1},
                     {.pattern = "norm.mean", .from_epoch = 1},
                     {.pattern = "norm.variance", .from_epoch = 2}};
  return options;
}

std::optional<Rewrite> GainStrategy::on_start(ir::Graph& graph, const exec::Program&) {
  for (ir::Node* node : graph.nodes()) {
    if (!node->is("Relu")) continue;
    ir::Value& gain = graph.add_initializer("gain", at::ones({6, 1, 1}));
    ir::Node& user = *node->output()->uses().front().node;
    ir::Node& multiply = graph.insert_before(
        user, {.op = "Mul", .inputs = {node->output(), &gain}, .name = "gain_mul"});
    multiply.output()->set_type(node->output()->type());
    graph.set_input(user, 0, multiply.output());
    return Rewrite{};
  }
  return std::nullopt;
}

TrainResult SyntheticRun::operator()() const {
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source(data);
  SyntheticSource evaluation({.batches = 2, .seed = 99});
  return train({.graph = graph,
                .program = program,
                .data = source,
                .evaluation = &evaluation,
                .losses = {cross_entropy(0.1)},
                .callbacks = callbacks,
                .strategies = strategies},
               options);
}

}  // namespace espalier::train
