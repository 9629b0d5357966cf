#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/data/sample.h"
#include "espalier/deploy/engine.h"
#include "espalier/deploy/integer_share.h"
#include "espalier/deploy/latency.h"
#include "espalier/deploy/layer_costs.h"
#include "espalier/deploy/predictions.h"
#include "espalier/deploy/profile.h"
#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

/// The next batch of one pass over the data; nothing at its end.
using NextBatch = std::function<std::optional<data::Batch>()>;

/// Inputs by position to outputs by position, e.g. a Program of the simulated graph.
using RunModel = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

/// What a compressed model must fulfil in every engine.
struct VerifyBounds {
  double max_drop = 0.5;        ///< points of the main metric (needs labels)
  double min_agreement = 0.95;  ///< share of predictions equal to the float model's
  /// Share of predictions equal to the simulation's. One that differs is no evidence: two must.
  double min_simulation_agreement = 0.99;
  /// Of outputs that hold neither classes nor labels: against the float model and the simulation.
  double min_value_sqnr_db = 20;
  double min_integer_mac_share = 0.98;  ///< of those that no option leaves in float
  bool allow_slower = false;            ///< INT8 slower than float is a note, not a failure
};

struct VerifyRequest {
  std::string_view float_model;      ///< bytes of the float ONNX file
  std::string_view quantized_model;  ///< bytes of the INT8 QDQ file
  /// The simulated INT8 model; empty: not compared. An engine whose arithmetic departs from the
  /// file (profile.h) is compared with the file run as that engine computes it.
  RunModel simulate = {};
  /// What the executor makes of the float file, which is compared on one sample with what each
  /// engine makes of it (an error of 1 % of the largest output is allowed); empty: not compared.
  RunModel reference = {};
  /// Starts one pass over real images. Empty: nothing is run on images (no agreement, no metrics).
  std::function<NextBatch()> batches = {};
  std::vector<std::string> engines = {"onnxruntime", "openvino"};
  VerifyBounds bounds = {};
  std::vector<std::string> left_out = {};  ///< nodes that the user's options leave in float
  OutputMeaning outputs = OutputMeaning::ByShape;
  /// Engines that the file is made for; in others integers and speed are reported, not judged.
  /// Nothing: all.
  std::optional<std::vector<std::string>> integer_engines = std::nullopt;
  int threads = 1;
  int latency_rounds = 30;  ///< 0: no latency, and no verdict about it
  /// How engines are found; tests put their own.
  std::function<Engine&(std::string_view)> open = open_engine;
  /// Called after every batch with the number of images seen so far.
  std::function<void(std::int64_t)> progress = {};
};

/// How the INT8 file does in one engine.
struct EngineReport {
  std::string name;
  std::string version;
  double integer_mac_share = 0;    ///< of all MACs
  double left_out_mac_share = 0;   ///< MACs in float of `VerifyRequest::left_out`
  std::vector<MacNode> float_ops;  ///< convolutions and matrix products left in float
  std::vector<MacNode> mac_nodes;  ///< all of them
  std::int64_t images = 0;
  /// Share of predictions equal to those of the float file in the same engine, and of the
  /// simulation, of the output that does worst; nothing when all outputs are plain values or no
  /// images were given.
  std::optional<double> agreement;
  std::optional<double> simulation_agreement;
  std::int64_t different = 0;             ///< predictions behind `agreement` that differ
  std::int64_t simulation_different = 0;  ///< predictions behind simulation_agreement that differ
  /// The same for plain values (OutputMatch::value_decibel).
  std::optional<double> value_sqnr_db;
  std::optional<double> simulation_value_sqnr_db;
  ArithmeticProfile profile;  ///< where this engine departs from the file
  /// "top1", "top5" in percent (scores with labels), "pixel_accuracy" (dense, with label maps).
  std::map<std::string, double> float_metrics;
  std::map<std::string, double> metrics;
  std::optional<double> output_sqnr_db;  ///< float output against INT8 output, all outputs
  std::int64_t not_finite = 0;           ///< output elements of the INT8 file that are NaN or Inf
  std::optional<LatencySummary> float_latency;  ///< batch 1, interleaved with `latency`
  std::optional<LatencySummary> latency;
  std::optional<LatencyRatio> speedup;   ///< float time / INT8 time
  std::vector<LayerCost> slower_layers;  ///< filled when INT8 is not faster, worst first
  std::vector<std::string> failures;     ///< why the file fails here; empty: it passes
  std::vector<std::string> notes;        ///< worth reading, not a failure

  [[nodiscard]] bool passed() const { return failures.empty(); }
};

struct VerifyReport {
  std::int64_t float_bytes = 0;
  std::int64_t quantized_bytes = 0;
  std::string cpu;  ///< deploy::describe of the processor
  OutputKind output_kind = OutputKind::Values;
  std::int64_t images = 0;  ///< that the data gave; fewer than asked for where some were left out
  std::vector<EngineReport> engines = {};
  std::vector<std::string> failures =
      {};  ///< of the files themselves (unreadable, no engine asked for)

  [[nodiscard]] bool passed() const;
  /// All failures, those of an engine prefixed with its name.
  [[nodiscard]] std::vector<std::string> reasons() const;
};

/// Runs both files in every engine and judges the INT8 file by the bounds. What goes wrong with a
/// file or an engine is a failure in the report, never an exception; only Interrupted, errors of
/// `batches` and bugs of ours are thrown. Memory is bounded by the models and one batch.
[[nodiscard]] VerifyReport verify(const VerifyRequest& request);

}  // namespace espalier::deploy
