#include "espalier/data/transforms/to_chw_image.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

TEST(ToChwImage, LeavesChannelsFirst) {
  const auto transform = make_transform({.name = "ToCHWImage"});
  EXPECT_EQ(transform->layout_after(Layout::Hwc), Layout::Chw);
  kit::expect_user_error([&] { (void)transform->layout_after(Layout::Encoded); },
                         "ToCHWImage needs decoded pixels: put DecodeImage first");
}

}  // namespace
}  // namespace espalier::data
