// The precompiled header of every target that touches libtorch; nothing includes it by name.
// No header of an operator is here (from_blob is a plain function), but what all of them include.
// cmake/torch keeps IValue out of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
