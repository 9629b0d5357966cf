#pragma once

#include <filesystem>
#include <string>

#include "espalier/deploy/verify.h"
#include "espalier/recipe/recipe.h"
#include "espalier/report/json.h"
#include "espalier/report/progress.h"

namespace espalier::recipe {

[[nodiscard]] deploy::VerifyBounds bounds_of(const VerifyConfig& config);

struct VerificationRequest {
  std::filesystem::path quantized;  ///< INT8 ONNX, QDQ
  std::filesystem::path original;   ///< float ONNX or checkpoint
  DataSplits data;
  VerifyConfig config;
  std::uint64_t seed = 0;
  int threads = 1;
  report::ProgressStyle progress = report::ProgressStyle::Auto;
};

struct VerificationOutcome {
  bool passed = false;
  report::Json json;
  std::string text;
};

/// Proves an INT8 file, made by whatever tool, against its float model on real images in the
/// engines. Our executor runs the same file as the simulation.
[[nodiscard]] VerificationOutcome verify_files(const VerificationRequest& request);

}  // namespace espalier::recipe
