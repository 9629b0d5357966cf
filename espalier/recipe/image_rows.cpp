#include "espalier/recipe/image_rows.h"

#include <cstdint>

#include <ATen/ops/empty.h>

#include "espalier/base/check.h"

namespace espalier::recipe {
namespace {

/// Images of one batch that follow each other.
struct Piece {
  std::size_t batch = 0;
  std::int64_t row = 0;
  std::int64_t count = 0;
};

std::vector<Piece> pieces_of(const ImageUnit& unit, std::size_t batch_size) {
  std::vector<Piece> pieces;
  for (std::size_t index = unit.num_kept; index < unit.images.size(); ++index) {
    const std::size_t batch = unit.images[index] / batch_size;
    const auto row = static_cast<std::int64_t>(unit.images[index] % batch_size);
    if (!pieces.empty() && pieces.back().batch == batch &&
        pieces.back().row + pieces.back().count == row) {
      ++pieces.back().count;
    } else {
      pieces.push_back({.batch = batch, .row = row, .count = 1});
    }
  }
  return pieces;
}

}  // namespace

Tensor join_rows(const std::vector<Tensor>& parts) {
  std::vector<std::int64_t> shape = parts.at(0).sizes().vec();
  shape.at(0) = 0;
  for (const Tensor& part : parts) shape[0] += part.size(0);
  Tensor result = at::empty(shape, parts[0].options(), parts[0].suggest_memory_format());
  std::int64_t row = 0;
  for (const Tensor& part : parts) {
    result.narrow(0, row, part.size(0)).copy_(part);
    row += part.size(0);
  }
  return result;
}

std::vector<Tensor> gather_images(const ImageUnit& unit, std::size_t batch_size,
                                  const BatchValues& values) {
  const std::vector<Piece> pieces = pieces_of(unit, batch_size);
  if (pieces.empty()) return unit.kept;
  std::vector<std::vector<Tensor>> parts;  // by value
  for (const Tensor& kept : unit.kept) parts.push_back({kept});
  for (const Piece& piece : pieces) {
    std::vector<Tensor> batch = values(piece.batch);
    if (pieces.size() == 1 && unit.num_kept == 0 && !batch.empty() &&
        batch[0].size(0) == piece.count) {
      return batch;
    }
    parts.resize(batch.size());
    for (std::size_t index = 0; index < batch.size(); ++index) {
      base::invariant(piece.row + piece.count <= batch[index].size(0), "no image in row {}",
                      piece.row);
      parts[index].push_back(batch[index].narrow(0, piece.row, piece.count));
    }
  }
  std::vector<Tensor> result;
  for (const std::vector<Tensor>& rows : parts) result.push_back(join_rows(rows));
  return result;
}

}  // namespace espalier::recipe
