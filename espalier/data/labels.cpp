#include "espalier/data/labels.h"

#include <algorithm>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::data {

namespace {

std::string name_of(const Batch& batch, std::size_t sample, const Dataset* dataset) {
  if (sample >= batch.indices.size()) return "";
  const auto index = batch.indices[sample];
  if (dataset == nullptr) return fmt::format("sample {} of the data set", index);
  return dataset->describe(static_cast<std::size_t>(index));
}

}  // namespace

void check_labels(const Batch& batch, std::int64_t classes, const Dataset* dataset) {
  const Tensor labels = batch.labels.to(at::kCPU, at::kLong).contiguous();
  const std::int64_t* values = labels.const_data_ptr<std::int64_t>();
  for (std::int64_t index = 0; index < labels.numel(); ++index) {
    if (values[index] < classes) continue;
    const std::int64_t per_sample = labels.numel() / std::max<std::int64_t>(labels.size(0), 1);
    const auto sample = static_cast<std::size_t>(index / per_sample);
    throw base::UserError({.what = "a label is outside the classes of the model",
                           .where = name_of(batch, sample, dataset),
                           .got = fmt::format("{}", values[index]),
                           .expected = fmt::format("0 to {}", classes - 1)});
  }
}

}  // namespace espalier::data
