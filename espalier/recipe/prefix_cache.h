#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Activations in front of the first node that a cut changes, by batch. Cuts that come in the
/// graph's order go on from what the one before has left here.
/// Values do not depend on which of them were asked for before: the program has all boundaries.
class PrefixCache {
 public:
  /// `graph` and `batches` must outlive the cache; `boundaries` are all values that will be asked
  /// for. Holds at most `limit_bytes` of activations, but always those of one batch a thread.
  PrefixCache(const ir::Graph& graph, const std::vector<Tensor>& batches,
              std::vector<std::string> boundaries, std::uint64_t limit_bytes);

  /// Makes ready the values for batches from `first` on, as many as the limit allows (at least
  /// `threads`, as far as there are), without those that are not `needed` (empty: all are); the
  /// number of the one behind the last.
  std::size_t fill(std::size_t first, const std::vector<std::string>& values, int threads,
                   const std::vector<char>& needed = {});
  /// The values of a batch that fill() has made ready, in the order asked for.
  [[nodiscard]] std::vector<Tensor> at(std::size_t batch,
                                       const std::vector<std::string>& values) const;
  /// Whether every boundary has one image a row, whatever the number of images: images of several
  /// batches may then be put together. False where the model's file fixes the number.
  [[nodiscard]] bool holds_images_by_row() const;
  /// Runs the whole graph on a batch: output `name`.
  [[nodiscard]] Tensor run_whole(std::size_t batch, const std::string& name) const;

 private:
  [[nodiscard]] exec::TensorMap advance(std::size_t batch,
                                        const std::vector<std::string>& values) const;

  const std::vector<Tensor>& batches_;
  std::string input_;
  std::vector<std::string> boundaries_;
  bool open_batch_;
  exec::Program program_;
  std::uint64_t limit_bytes_;
  std::vector<exec::TensorMap> held_;  ///< by batch; empty: only the image
};

}  // namespace espalier::recipe
