#include "espalier/exec/kernels/quantizer_forms.h"

#include <array>

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

TEST(QuantizerForms, ComeBackFromTheirTensor) {
  const std::array<simd::QuantizerForm, 2> forms{
      simd::QuantizerForm{.scale = 0.5F, .zero = 3, .low = 0, .high = 255},
      simd::QuantizerForm{.scale = 1e-30F,
                          .zero = -1,
                          .low = -128,
                          .high = 127,
                          .low_edge = 0.5F,
                          .high_edge = 0.25F}};
  const Tensor tensor = forms_tensor(forms);
  EXPECT_EQ(tensor.sizes().vec(), (std::vector<std::int64_t>{2, 6}));
  const auto back = forms_from(tensor);
  ASSERT_EQ(back.size(), forms.size());
  for (std::size_t index = 0; index < forms.size(); ++index) {
    EXPECT_EQ(back[index].scale, forms[index].scale);
    EXPECT_EQ(back[index].zero, forms[index].zero);
    EXPECT_EQ(back[index].low, forms[index].low);
    EXPECT_EQ(back[index].high, forms[index].high);
    EXPECT_EQ(back[index].low_edge, forms[index].low_edge);
    EXPECT_EQ(back[index].high_edge, forms[index].high_edge);
  }
}

TEST(QuantizerForms, BytesCountFromTheLowestCode) {
  const Tensor codes = at::arange(3).to(at::kByte).reshape({1, 3});
  const Tensor values = dequantize_bytes(codes, {.scale = 0.5F, .zero = 2, .low = -4, .high = 11});
  EXPECT_THAT(values, kit::HasSameBits(kit::tensor_of({-3, -2.5F, -2}, {1, 3})));
}

}  // namespace
}  // namespace espalier::exec
