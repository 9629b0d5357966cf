#include "espalier/recipe/model_input.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/base/random.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"
#include "espalier/recipe/model_source.h"

namespace espalier::recipe {
namespace {

/// True when images of [batch, channels, height, width] would fit with the channels moved last.
bool takes_channels_last(const tensor::Shape& shape, at::IntArrayRef images) {
  if (shape.size() != 4 || images.size() != 4) return false;
  const auto fits = [&](std::size_t axis, std::int64_t size) {
    return !shape[axis].known() || *shape[axis].size == size;
  };
  return fits(1, images[2]) && fits(2, images[3]) && shape[3].known() &&
         *shape[3].size == images[1];
}

}  // namespace

const ir::Value& image_input(const ir::Graph& graph) {
  if (graph.inputs().size() == 1) return *graph.inputs().front();
  throw base::UnsupportedError(
      {.what = fmt::format("the model '{}' does not take images", graph.name),
       .got = fmt::format("{} inputs: {}", graph.inputs().size(), describe_inputs(graph)),
       .expected = "one input of images"});
}

void refuse_quantized(const ir::Graph& graph, const std::string& what) {
  for (const ir::Node* node : graph.nodes()) {
    if (ops::kind_of(*node) != ops::OpKind::Quantize) continue;
    throw base::UserError({.what = what,
                           .where = node->label(),
                           .expected = "a float model",
                           .hint = "give the float model that it was made from"});
  }
}

std::optional<std::string> find_broken_weight(const ir::Graph& graph) {
  for (const ir::Node* node : graph.nodes()) {
    std::vector<std::size_t> ports = ops::trainable_inputs(*node);
    std::ranges::copy(ops::running_statistics_inputs(*node), std::back_inserter(ports));
    for (const std::size_t port : ports) {
      const ir::Value& weight = *ops::initializer_behind(node->input(port));
      if (at::isfinite(weight.constant()).all().item<bool>()) continue;
      return fmt::format("initializer '{}' of {}", weight.name(), node->label());
    }
  }
  return std::nullopt;
}

void check_quantizable(const ir::Graph& graph) {
  static_cast<void>(image_input(graph));
  refuse_quantized(graph, fmt::format("the model '{}' is quantized already", graph.name));
  for (const ir::Value* constant : graph.initializers()) {
    if (!at::isReducedFloatingType(constant->constant().scalar_type())) continue;
    throw base::UnsupportedError({.what = fmt::format("cannot quantize the model '{}'", graph.name),
                                  .where = fmt::format("initializer '{}'", constant->name()),
                                  .got = std::string(tensor::to_string(constant->type().dtype)),
                                  .expected = "float32",
                                  .hint = "export the model in float32"});
  }
  // A broken weight shows in every value behind it: said of the weight, before anything runs.
  if (const auto weight = find_broken_weight(graph)) {
    throw base::UserError({.what = fmt::format("cannot quantize the model '{}'", graph.name),
                           .where = *weight,
                           .got = "NaN or infinite elements",
                           .expected = "finite numbers",
                           .hint = "the training diverged, or the file is damaged"});
  }
}

void check_images(const ir::Graph& graph, const Tensor& images, const std::string& source) {
  const ir::Value& input = image_input(graph);
  if (!tensor::is_floating(input.type().dtype)) {
    throw base::UnsupportedError({.what = "the model does not take normalized images",
                                  .where = fmt::format("input '{}'", input.name()),
                                  .got = std::string(tensor::to_string(input.type().dtype)),
                                  .expected = "float32",
                                  .hint = "export it without the conversion in front"});
  }
  const auto& shape = input.type().shape;
  if (!shape) return;
  const auto sizes = images.sizes();
  bool fits = sizes.size() == shape->size();
  for (std::size_t axis = 1; fits && axis < sizes.size(); ++axis) {
    fits = !(*shape)[axis].known() || *(*shape)[axis].size == sizes[axis];
  }
  if (fits) return;
  if (takes_channels_last(*shape, sizes)) {
    throw base::UnsupportedError({.what = "the model takes its images with the channels last",
                                  .where = fmt::format("input '{}'", input.name()),
                                  .got = tensor::to_string(*shape),
                                  .expected = "[batch, channels, height, width]",
                                  .hint = "export it without the Transpose in front"});
  }
  const tensor::Shape expected(shape->begin() + (shape->empty() ? 0 : 1), shape->end());
  throw base::UserError(
      {.what = "the images do not fit the model",
       .where = fmt::format("input '{}'", input.name()),
       .got = fmt::format("images of [{}]", fmt::join(sizes.slice(1), ", ")),
       .expected = tensor::to_string(expected),
       .hint = fmt::format("change the data set or its transforms in '{}'", source)});
}

std::optional<std::vector<Tensor>> random_images(const ir::Graph& graph, std::int64_t samples) {
  std::vector<Tensor> inputs;
  for (const ir::Value* input : graph.inputs()) {
    const ir::TypeInfo& type = input->type();
    if (!type.shape || type.shape->empty() || !tensor::is_floating(type.dtype)) return std::nullopt;
    std::vector<std::int64_t> sizes{samples};
    for (std::size_t axis = 1; axis < type.shape->size(); ++axis) {
      if (!(*type.shape)[axis].known()) return std::nullopt;
      sizes.push_back(*(*type.shape)[axis].size);
    }
    Tensor images = at::empty(sizes, at::kFloat);
    base::Random random(1, inputs.size());
    std::generate_n(images.mutable_data_ptr<float>(), images.numel(),
                    [&] { return static_cast<float>(random.uniform(-1, 1)); });
    inputs.push_back(std::move(images));
  }
  return inputs;
}

CalibrationConfig fit_to_batch(const CalibrationConfig& config, std::optional<std::int64_t> batch,
                               std::size_t images) {
  CalibrationConfig fitted = config;
  if (!batch) return fitted;
  fitted.micro_batch = static_cast<std::size_t>(std::max<std::int64_t>(*batch, 1));
  fitted.samples = std::min(config.samples, images) / fitted.micro_batch * fitted.micro_batch;
  if (fitted.samples == 0) {
    throw base::UserError({.what = "too few calibration images for the model's fixed batch",
                           .got = fmt::format("{}", std::min(config.samples, images)),
                           .expected = fmt::format("at least {}", fitted.micro_batch)});
  }
  if (fitted.micro_batch != config.micro_batch) {
    base::log_info("the model fixes a batch of {}: micro-batches have that size",
                   fitted.micro_batch);
  }
  return fitted;
}

}  // namespace espalier::recipe
