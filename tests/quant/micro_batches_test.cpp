#include "espalier/quant/micro_batches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/concat.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

Tensor numbered(std::int64_t samples) {
  return at::arange(samples, at::kFloat).reshape({-1, 1});
}

std::vector<MicroBatches::Item> take_all(const BatchSource& source, std::size_t samples,
                                         std::size_t size) {
  MicroBatches batches(source, samples, size);
  std::vector<MicroBatches::Item> items;
  while (auto item = batches.take()) items.push_back(std::move(*item));
  return items;
}

TEST(MicroBatches, AreTheSameForEverySizeOfTheSourcesBatches) {
  for (const std::int64_t source_size : {1, 2, 3, 5, 8, 20}) {
    const auto items = take_all(quant_test::source_of({numbered(20)}, source_size), 100, 6);
    ASSERT_EQ(items.size(), 4U) << source_size;
    std::vector<Tensor> parts;
    for (std::size_t index = 0; index < items.size(); ++index) {
      EXPECT_EQ(items[index].index, index);
      EXPECT_EQ(items[index].samples, index < 3 ? 6U : 2U);
      parts.push_back(items[index].inputs.at(0));
    }
    EXPECT_THAT(at::concat(parts), kit::HasSameBits(numbered(20)));
  }
}

TEST(MicroBatches, StopAtTheNumberOfSamples) {
  const auto items = take_all(quant_test::source_of({numbered(20)}, 7), 10, 4);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items.back().samples, 2U);
}

TEST(MicroBatches, KeepInputsTogether) {
  const auto items = take_all(quant_test::source_of({numbered(5), numbered(5) * 2}, 3), 5, 4);
  ASSERT_EQ(items.front().inputs.size(), 2U);
  EXPECT_THAT(items.front().inputs[1], kit::HasSameBits(items.front().inputs[0] * 2));
}

TEST(MicroBatches, RefuseBadBatches) {
  const auto refused = [](const std::vector<Tensor>& batch, std::string_view text) {
    const BatchSource source = [&batch] { return batch; };
    MicroBatches batches(source, 4, 2);
    kit::expect_user_error([&] { (void)batches.take(); }, text);
  };
  refused({numbered(2), numbered(3)}, "different numbers of samples: got 2 and 3");
  refused({kit::tensor_of({1.0F}, {})}, "without dimensions");
  const BatchSource none = [] { return std::vector<Tensor>{}; };
  kit::expect_user_error([&] { MicroBatches(none, 0, 2); }, "needs samples: got 0");
  kit::expect_user_error([&] { MicroBatches(none, 2, 0); }, "at least one sample: got 0");
}

TEST(MicroBatches, RefuseAChangingNumberOfInputs) {
  int calls = 0;
  const BatchSource source = [&calls] {
    return ++calls == 1 ? std::vector<Tensor>{numbered(1)}
                        : std::vector<Tensor>{numbered(1), numbered(1)};
  };
  MicroBatches batches(source, 4, 2);
  kit::expect_user_error([&] { (void)batches.take(); }, "different numbers of inputs: got 1 and 2");
}

}  // namespace
}  // namespace espalier::quant
