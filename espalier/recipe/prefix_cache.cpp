#include "espalier/recipe/prefix_cache.h"

#include <algorithm>
#include <array>

#include "espalier/base/check.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/recipe/model_input.h"
#include "espalier/tensor/worker_threads.h"

namespace espalier::recipe {
namespace {

std::uint64_t bytes_of(const exec::TensorMap& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.nbytes();
  return bytes;
}

}  // namespace

PrefixCache::PrefixCache(const ir::Graph& graph, const std::vector<Tensor>& batches,
                         std::vector<std::string> boundaries, std::uint64_t limit_bytes)
    : batches_(batches),
      input_(image_input(graph).name()),
      boundaries_(std::move(boundaries)),
      open_batch_(!deploy::fixed_batch(graph)),
      program_(exec::Program::compile(graph, {.taps = boundaries_})),
      limit_bytes_(limit_bytes),
      held_(batches.size()) {}

exec::TensorMap PrefixCache::advance(std::size_t batch,
                                     const std::vector<std::string>& values) const {
  exec::TensorMap from = held_[batch];
  from[input_] = batches_[batch];
  std::vector<std::string> wanted;
  exec::TensorMap result;
  for (const std::string& value : values) {
    if (value == input_) continue;
    if (const auto place = from.find(value); place != from.end()) {
      result[value] = place->second;
    } else {
      wanted.push_back(value);
    }
  }
  if (!wanted.empty()) result.merge(program_.run(from, wanted));
  return result;
}

std::size_t PrefixCache::fill(std::size_t first, const std::vector<std::string>& values,
                              int threads, const std::vector<char>& needed) {
  base::invariant(first < batches_.size(), "no batch {}", first);
  if (first > 0) {  // what was held did not fit: the next chunk starts from the images
    std::ranges::fill(held_, exec::TensorMap{});
  }
  held_[first] = advance(first, values);
  const std::uint64_t bytes = std::max<std::uint64_t>(bytes_of(held_[first]), 1);
  const auto fitting = std::max<std::uint64_t>(limit_bytes_ / bytes,
                                               static_cast<std::uint64_t>(std::max(threads, 1)));
  const std::size_t last =
      first + static_cast<std::size_t>(std::min<std::uint64_t>(fitting, batches_.size() - first));
  for (std::size_t batch = last; batch < batches_.size(); ++batch) held_[batch].clear();
  // Each thread touches the entry of its own batch alone.
  tensor::for_each_index(first + 1, last, threads, [&](std::size_t batch) {
    if (needed.empty() || needed[batch] != 0) held_[batch] = advance(batch, values);
  });
  return last;
}

std::vector<Tensor> PrefixCache::at(std::size_t batch,
                                    const std::vector<std::string>& values) const {
  std::vector<Tensor> result;
  for (const std::string& value : values) {
    result.push_back(value == input_ ? batches_[batch] : held_[batch].at(value));
  }
  return result;
}

bool PrefixCache::holds_images_by_row() const {
  if (!open_batch_ || batches_.at(0).size(0) < 3) return false;
  for (const std::int64_t images : {2, 3}) {
    const exec::TensorMap values =
        program_.run({{input_, batches_[0].narrow(0, 0, images)}}, boundaries_);
    for (const auto& [name, value] : values) {
      if (value.dim() == 0 || value.size(0) != images) return false;
    }
  }
  return true;
}

Tensor PrefixCache::run_whole(std::size_t batch, const std::string& name) const {
  return program_.run({{input_, batches_[batch]}}, std::array{name}).at(name);
}

}  // namespace espalier::recipe
