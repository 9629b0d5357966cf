#include "espalier/recipe/row_order.h"

#include <algorithm>
#include <numeric>

#include <ATen/ops/empty_like.h>

#include "espalier/base/check.h"

namespace espalier::recipe {
namespace {

/// A batch and a row of it.
struct Place {
  std::size_t batch;
  std::int64_t row;
};

}  // namespace

std::vector<std::size_t> ascending(const std::vector<double>& keys, std::size_t first,
                                   std::size_t last) {
  std::vector<std::size_t> order(last - first);
  std::iota(order.begin(), order.end(), first);
  std::ranges::stable_sort(order, {}, [&](std::size_t row) { return keys.at(row); });
  return order;
}

void move_rows(std::vector<Tensor>& batches, std::size_t first,
               const std::vector<std::size_t>& order) {
  std::vector<Place> places;
  for (std::size_t batch = 0; batch < batches.size(); ++batch) {
    for (std::int64_t row = 0; row < batches[batch].size(0); ++row) places.push_back({batch, row});
  }
  std::vector<std::pair<std::size_t, Tensor>> moved;
  for (std::size_t index = 0; index < order.size();) {
    const Place& start = places.at(first + index);
    base::invariant(start.row == 0, "rows that begin within a batch");
    const Tensor& batch = batches[start.batch];
    Tensor result = at::empty_like(batch);
    for (std::int64_t row = 0; row < batch.size(0); ++row) {
      const Place& from = places.at(order.at(index++));
      result.select(0, row).copy_(batches[from.batch].select(0, from.row));
    }
    moved.emplace_back(start.batch, std::move(result));
  }
  for (auto& [batch, rows] : moved) batches[batch] = std::move(rows);
}

}  // namespace espalier::recipe
