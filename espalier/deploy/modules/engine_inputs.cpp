#include "espalier/deploy/modules/engine_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"

namespace espalier::deploy {
namespace {

std::string describe(tensor::DType dtype, std::span<const std::int64_t> sizes) {
  std::vector<std::string> parts;
  for (const std::int64_t size : sizes) parts.push_back(size < 0 ? "?" : fmt::to_string(size));
  return fmt::format("{} [{}]", tensor::to_string(dtype), fmt::join(parts, ", "));
}

bool fits(const EngineInput& declared, const Tensor& given) {
  if (tensor::from_scalar_type(given.scalar_type()) != declared.dtype) return false;
  if (given.sizes().size() != declared.sizes.size()) return false;
  for (std::size_t index = 0; index < declared.sizes.size(); ++index) {
    const std::int64_t size = declared.sizes[index];
    if (size >= 0 && size != given.sizes()[index]) return false;
  }
  return true;
}

}  // namespace

std::vector<Tensor> fit_inputs(std::string_view engine, std::span<const EngineInput> declared,
                               std::span<const Tensor> given) {
  base::check(declared.size() == given.size(),
              "{} cannot run the model: got {} inputs, expected {}", engine, given.size(),
              declared.size());
  std::vector<Tensor> ready;
  for (std::size_t index = 0; index < given.size(); ++index) {
    const EngineInput& input = declared[index];
    const Tensor& tensor = given[index];
    base::check(tensor.defined(), "{} cannot run the model: input '{}' has no tensor", engine,
                input.name);
    if (!fits(input, tensor)) {
      throw base::UserError(
          {.what = fmt::format("{} cannot run the model", engine),
           .where = fmt::format("input '{}'", input.name),
           .got = describe(tensor::from_scalar_type(tensor.scalar_type()), tensor.sizes()),
           .expected = describe(input.dtype, input.sizes)});
    }
    ready.push_back(tensor.device().is_cpu() ? tensor.contiguous() : tensor.cpu().contiguous());
  }
  return ready;
}

}  // namespace espalier::deploy
