#include "espalier/exec/kernels/quantizer_forms.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "espalier/tensor/parallel.h"

namespace espalier::exec {
namespace {

constexpr std::int64_t kNumbers = 6;  ///< a row holds

}  // namespace

Tensor forms_tensor(std::span<const simd::QuantizerForm> forms) {
  Tensor rows = at::empty({static_cast<std::int64_t>(forms.size()), kNumbers}, at::kFloat);
  float* row = rows.mutable_data_ptr<float>();
  for (const simd::QuantizerForm& form : forms) {
    for (const float number :
         {form.scale, form.zero, form.low, form.high, form.low_edge, form.high_edge}) {
      *row++ = number;
    }
  }
  return rows;
}

std::vector<simd::QuantizerForm> forms_from(const Tensor& tensor) {
  std::vector<simd::QuantizerForm> forms;
  const float* row = tensor.const_data_ptr<float>();
  for (std::int64_t index = 0; index < tensor.size(0); ++index, row += kNumbers) {
    forms.push_back({.scale = row[0],
                     .zero = row[1],
                     .low = row[2],
                     .high = row[3],
                     .low_edge = row[4],
                     .high_edge = row[5]});
  }
  return forms;
}

Tensor dequantize_bytes(const Tensor& codes, const simd::QuantizerForm& form) {
  constexpr std::int64_t kCodesAThread = 32768;  // below, a second thread does not pay
  Tensor values = at::empty_like(codes, codes.options().dtype(at::kFloat));
  const auto* from = codes.const_data_ptr<std::uint8_t>();
  auto* to = values.mutable_data_ptr<float>();
  at::parallel_for(0, codes.numel(), kCodesAThread, [&](std::int64_t begin, std::int64_t end) {
    simd::dequantize_codes(from + begin, to + begin, static_cast<std::size_t>(end - begin), form);
  });
  return values;
}

}  // namespace espalier::exec
