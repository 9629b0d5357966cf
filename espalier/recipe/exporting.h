#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "espalier/report/json.h"

namespace espalier::recipe {

struct ExportRequest {
  std::filesystem::path model;  ///< checkpoint, ONNX file, or run folder (what training gave)
  std::filesystem::path output;
  /// "float": as trained. "folded": BatchNormalization in the weights, no Dropout, as quantization
  /// prepares it. Quantized, with a stored plan or what training made of it: "qdq"; "frozen":
  /// weights are integers held in float, scaled behind their layers; "int8": the same with those
  /// integers stored as bytes. Empty: qdq where the model was trained with quantizers or a plan or
  /// target is given, float otherwise.
  std::string form = {};
  std::filesystem::path plan = {};  ///< of quantized forms; empty: plan.yaml of the run folder
  std::string target = {};          ///< of these: must be the plan's; empty: whichever it is
  int opset = 17;
  bool averaged = false;  ///< the moving average of the weights that a checkpoint holds
};

/// The forms there are.
[[nodiscard]] std::vector<std::string> export_forms();

/// Writes an ONNX file, reads it again and runs it beside the model on random images. The facts:
/// model, output, form, opset, bytes, parameters, macs, difference (largest difference of outputs
/// relative to the largest output; null where the size of the input is open), for quantized forms
/// simulation_difference (the same from the simulated graph), for a checkpoint epoch and step.
/// Throws UserError and UnsupportedError for requests that do not fit.
[[nodiscard]] report::Json export_model(const ExportRequest& request);

/// The same for the terminal.
[[nodiscard]] std::string export_text(const report::Json& json);

}  // namespace espalier::recipe
