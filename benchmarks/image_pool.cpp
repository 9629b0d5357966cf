#include "benchmarks/image_pool.h"

#include <algorithm>

#include <ATen/ops/empty.h>

#include "espalier/base/random.h"

namespace espalier::benchmarks {

Tensor make_images(std::int64_t count, std::int64_t size, std::uint64_t seed) {
  Tensor images = at::empty({count, 3, size, size}, at::TensorOptions().dtype(at::kFloat));
  base::Random random(seed);
  float* pixels = images.mutable_data_ptr<float>();
  for (std::int64_t index = 0; index < images.numel(); ++index) {
    pixels[index] = static_cast<float>(random.normal());
  }
  return images;
}

quant::BatchSource cycle_images(const Tensor& pool, std::int64_t total, std::int64_t batch) {
  return [pool, total, batch, given = std::int64_t{0}]() mutable -> std::vector<Tensor> {
    const std::int64_t count = std::min({batch, total - given, pool.size(0)});
    if (count <= 0) return {};
    const std::int64_t first = given % pool.size(0);
    const std::int64_t available = std::min(count, pool.size(0) - first);
    given += available;
    return {pool.narrow(0, first, available)};
  };
}

}  // namespace espalier::benchmarks
