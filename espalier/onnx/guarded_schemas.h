#pragma once

#include <map>
#include <string>

#include <onnx/defs/schema.h>

namespace espalier::onnx {

/// The library's operator schemas for one inference, with bounds: the library writes one message
/// for every dimension of a shape and for every element of a vector that may describe a shape, so
/// that a file of 200 bytes (Range(0, 10^12) read by an Add; 34 times Concat(x, x)) can ask for any
/// amount of memory.
///
/// Vectors of more than kMaxShapeElements elements take no part in shape arithmetic: their sizes
/// are inferred, their contents are not. More than kMaxResultRank dimensions are an InferenceError
/// of the node. One thread at a time.
class GuardedSchemas final : public ::onnx::ISchemaRegistry {
 public:
  const ::onnx::OpSchema* GetSchema(const std::string& key, int max_inclusive_version,
                                    const std::string& domain) const override;

 private:
  mutable std::map<const ::onnx::OpSchema*, ::onnx::OpSchema> guarded_;
};

/// Integer vectors up to this size take part in shape arithmetic.
inline constexpr std::int64_t kMaxShapeElements = 4096;

/// No operator of a network comes near it.
inline constexpr int kMaxResultRank = 64;

}  // namespace espalier::onnx
