#include "espalier/onnx/library_error.h"

#include <new>
#include <stdexcept>

#include <gtest/gtest.h>

#include "espalier/base/error.h"
#include "tests/kit/expect_error.h"

namespace espalier::onnx {
namespace {

void fail(const std::string& text) {
  call_library("shapes do not fit", [&text] { throw std::runtime_error(text); });
}

TEST(LibraryError, NodesAreNamed) {
  EXPECT_EQ(kit::expect_user_error(
                [] {
                  fail(
                      "[ShapeInferenceError] Inference error(s): (op_type:Conv, node name: c1): "
                      "[ShapeInferenceError] bad rank\nmore");
                },
                "bad rank"),
            "shapes do not fit: node 'c1' (Conv): got bad rank");
}

TEST(LibraryError, OtherTextsAreOneShortLine) {
  EXPECT_EQ(kit::expect_user_error([] { fail("something\nelse"); }, "something"),
            "shapes do not fit: got something");
  EXPECT_LT(kit::expect_user_error([] { fail(std::string(100000, 'x')); }, "xxx").size(), 700U);
}

TEST(LibraryError, MemoryAndOurOwnErrors) {
  kit::expect_user_error([] { call_library("a", [] { throw std::bad_alloc(); }); }, "more memory");
  kit::expect_unsupported([] { call_library("a", [] { throw base::UnsupportedError("ours"); }); },
                          "ours");
}

}  // namespace
}  // namespace espalier::onnx
