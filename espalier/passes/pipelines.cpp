#include "espalier/passes/pipelines.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/passes/add_bias.h"
#include "espalier/passes/clip_to_relu.h"
#include "espalier/passes/close_channels.h"
#include "espalier/passes/convert_to_int8.h"
#include "espalier/passes/correct_folded_weights.h"
#include "espalier/passes/drop_clip_bounds.h"
#include "espalier/passes/eliminate_dropout.h"
#include "espalier/passes/eliminate_identity.h"
#include "espalier/passes/fold_batch_norm.h"
#include "espalier/passes/fold_constants.h"
#include "espalier/passes/fold_mul_add.h"
#include "espalier/passes/fold_quantized_batch_norm.h"
#include "espalier/passes/fold_shape_arithmetic.h"
#include "espalier/passes/freeze_weights.h"
#include "espalier/passes/fuse_hard_swish.h"
#include "espalier/passes/fuse_pad_into_conv.h"
#include "espalier/passes/infer_shapes.h"
#include "espalier/passes/matmul_add_to_gemm.h"
#include "espalier/passes/name_as_folded.h"
#include "espalier/passes/normalize_gemm.h"
#include "espalier/passes/open_batch.h"
#include "espalier/passes/reduce_mean_to_global_average_pool.h"
#include "espalier/passes/remove_fake_quantize.h"
#include "espalier/passes/settle_quantizers.h"
#include "espalier/passes/split_normalized_weights.h"
#include "espalier/passes/split_shared_biases.h"
#include "espalier/passes/split_shared_vectors.h"
#include "espalier/passes/sum_to_add.h"

namespace espalier::passes {
namespace {

Pass fold_constants_by_default() {
  return fold_constants();
}

constexpr std::array kPasses{
    PassRow{"add_bias", "gives layers without a bias one of zeros", add_bias},
    PassRow{"clip_to_relu", "Clip from 0 without upper limit is Relu", clip_to_relu},
    PassRow{"close_batch", "the batch that open_batch opened", close_batch},
    PassRow{"close_channels", "channels of inputs as weights ask for", close_channels},
    PassRow{"convert_to_int8", "frozen weights as bytes", convert_to_int8},
    PassRow{"correct_folded_weights", "quantizes folded weights in training",
            correct_folded_weights},
    PassRow{"drop_clip_bounds", "Clip in front of quantizers of few bits is Relu",
            drop_clip_bounds},
    PassRow{"eliminate_dropout", "Dropout outside of training", eliminate_dropout},
    PassRow{"eliminate_identity", "nodes that give back their input", eliminate_identity},
    PassRow{"fold_batch_norm", "BatchNormalization into weights", fold_batch_norm},
    PassRow{"fold_constants", "what constants alone decide", fold_constants_by_default},
    PassRow{"fold_leading_batch_norm", "BatchNormalization into the weights behind it",
            fold_leading_batch_norm},
    PassRow{"fold_mul_add", "per-channel Mul, Add, Sub, Div into weights", fold_mul_add},
    PassRow{"fold_quantized_batch_norm", "BatchNormalization into quantized weights",
            fold_quantized_batch_norm},
    PassRow{"fold_shape_arithmetic", "computed shapes that are known", fold_shape_arithmetic},
    PassRow{"freeze_weights", "integer-valued weights, their scale behind the layer",
            freeze_weights},
    PassRow{"fuse_hard_swish", "hard swish written out", fuse_hard_swish},
    PassRow{"fuse_pad_into_conv", "zero Pad into the pads of Conv", fuse_pad_into_conv},
    PassRow{"infer_shapes", "types of all values", infer_shapes},
    PassRow{"matmul_add_to_gemm", "fully connected layers of two nodes", matmul_add_to_gemm},
    PassRow{"name_as_folded", "names as folding leaves them", name_as_folded},
    PassRow{"normalize_gemm", "alpha and beta of Gemm into its constants", normalize_gemm},
    PassRow{"open_batch", "any number of samples where the file fixes one", open_batch},
    PassRow{"reduce_mean_to_global_average_pool", "spatial means",
            reduce_mean_to_global_average_pool},
    PassRow{"remove_fake_quantize", "the float model behind quantizers", remove_fake_quantize},
    PassRow{"settle_quantizers", "ends the training of quantizers", settle_quantizers},
    PassRow{"split_normalized_weights", "a weight of its own for every normalized use",
            split_normalized_weights},
    PassRow{"split_shared_biases", "a bias of its own for every layer", split_shared_biases},
    PassRow{"split_shared_vectors", "a vector of its own for every use", split_shared_vectors},
    PassRow{"sum_to_add", "residual sums that engines compute in integers", sum_to_add},
};

constexpr std::array<std::string_view, 5> kSimplify{"infer_shapes", "fold_constants",
                                                    "fold_shape_arithmetic", "eliminate_identity",
                                                    "infer_shapes"};

// Equal constants that the exporter stored once would tie unrelated layers together.
constexpr std::array<std::string_view, 7> kPrepareForPruning{
    "close_channels",     "infer_shapes",         "fold_constants", "fold_shape_arithmetic",
    "eliminate_identity", "split_shared_vectors", "infer_shapes"};

constexpr std::array<std::string_view, 21> kPrepareForQuantization{
    "infer_shapes",         "fold_constants",     "fold_shape_arithmetic",
    "eliminate_dropout",    "eliminate_identity", "split_normalized_weights",
    "split_shared_vectors", "infer_shapes",       "reduce_mean_to_global_average_pool",
    "clip_to_relu",         "fuse_hard_swish",    "sum_to_add",
    "matmul_add_to_gemm",   "fuse_pad_into_conv", "fold_batch_norm",
    "fold_mul_add",         "normalize_gemm",     "eliminate_identity",
    "split_shared_biases",  "add_bias",           "infer_shapes"};

// As prepare_for_quantization, but BatchNormalization behind layers stays, and biases as they are.
constexpr std::array<std::string_view, 19> kPrepareForTraining{
    "infer_shapes",         "fold_constants",     "fold_shape_arithmetic",
    "eliminate_dropout",    "eliminate_identity", "split_normalized_weights",
    "split_shared_vectors", "infer_shapes",       "reduce_mean_to_global_average_pool",
    "clip_to_relu",         "fuse_hard_swish",    "sum_to_add",
    "matmul_add_to_gemm",   "fuse_pad_into_conv", "fold_leading_batch_norm",
    "fold_mul_add",         "normalize_gemm",     "eliminate_identity",
    "infer_shapes"};

constexpr std::array<std::string_view, 2> kUntieVectors{"eliminate_identity",
                                                        "split_shared_vectors"};

constexpr std::array<std::string_view, 7> kFinishTraining{
    "fold_constants",  "settle_quantizers",   "fold_quantized_batch_norm",
    "fold_batch_norm", "split_shared_biases", "add_bias",
    "infer_shapes"};

constexpr std::array kPipelines{
    Pipeline{"finish_training", "a trained graph as quantization leaves one", kFinishTraining},
    Pipeline{"prepare_for_pruning", "a graph whose layers share no vectors", kPrepareForPruning},
    Pipeline{"prepare_for_quantization", "a graph fit for quantization", kPrepareForQuantization},
    Pipeline{"prepare_for_training", "a graph fit for quantization-aware training",
             kPrepareForTraining},
    Pipeline{"simplify", "a graph without arithmetic that is known", kSimplify},
    Pipeline{"untie_vectors", "a graph in which training changes no two layers at once",
             kUntieVectors},
};

template <typename Row>
const Row& find_row(std::span<const Row> rows, std::string_view name, std::string_view kind) {
  const auto place = std::ranges::find(rows, name, &Row::name);
  if (place != rows.end()) return *place;
  std::vector<std::string> known;
  for (const Row& row : rows) known.emplace_back(row.name);
  throw base::UserError({.what = fmt::format("unknown {}", kind),
                         .got = fmt::format("'{}'", name),
                         .hint = base::suggest_name(name, known)});
}

}  // namespace

std::span<const PassRow> pass_table() {
  return kPasses;
}

Pass make_pass(std::string_view name) {
  return find_row(pass_table(), name, "pass").make();
}

std::span<const Pipeline> pipelines() {
  return kPipelines;
}

std::vector<Pass> make_pipeline(std::string_view name) {
  std::vector<Pass> passes;
  for (const std::string_view pass : find_row(pipelines(), name, "pipeline").passes) {
    passes.push_back(make_pass(pass));
  }
  return passes;
}

std::vector<Pass> simplify() {
  return make_pipeline("simplify");
}

std::vector<Pass> prepare_for_pruning() {
  return make_pipeline("prepare_for_pruning");
}

std::vector<Pass> untie_vectors() {
  return make_pipeline("untie_vectors");
}

std::vector<Pass> prepare_for_quantization() {
  return make_pipeline("prepare_for_quantization");
}

std::vector<Pass> prepare_for_training() {
  return make_pipeline("prepare_for_training");
}

std::vector<Pass> finish_training() {
  return make_pipeline("finish_training");
}

std::string to_text(std::span<const Pass> passes) {
  std::string text;
  for (const Pass& pass : passes) {
    text += fmt::format("{}{}\n", pass.name, pass.to_fixed_point ? " (to fixed point)" : "");
  }
  return text;
}

std::string to_text(std::span<const PassRecord> records) {
  std::string text;
  for (const PassRecord& record : records) {
    text += fmt::format("{}: {} changes, {:.1f} ms\n", record.name, record.changes,
                        record.seconds * 1000);
  }
  return text;
}

}  // namespace espalier::passes
