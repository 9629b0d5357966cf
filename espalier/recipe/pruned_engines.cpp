#include "espalier/recipe/pruned_engines.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/deploy/bench.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/passes/check_cut.h"

namespace espalier::recipe {
namespace {

using report::Json;

void add_latency(const PrunedEnginesRequest& request, const std::string& engine, Json& row) {
  const std::vector<deploy::BenchSubject> subjects{
      {.model = "before", .bytes = request.original_model, .engine = engine},
      {.model = "after", .bytes = request.pruned_model, .engine = engine}};
  const auto rows = deploy::bench(subjects, {.latency = {.rounds = request.latency_rounds},
                                             .threads = request.threads,
                                             .unknown_size = request.unknown_size,
                                             .seed = request.seed,
                                             .open = request.open});
  row["before_ms"] = rows.at(0).latency.median_ms;
  row["after_ms"] = rows.at(1).latency.median_ms;
  row["speed"] = rows.at(1).against_first.ratio;
  row["speed_low"] = rows.at(1).against_first.low;
  row["speed_high"] = rows.at(1).against_first.high;
}

/// Inputs, and what our executor computes from them with both files.
struct Expected {
  std::vector<Tensor> inputs;
  std::vector<Tensor> before;
  std::vector<Tensor> after;
};

Expected compute_expected(const PrunedEnginesRequest& request) {
  Expected expected;
  const ir::Graph original = onnx::decode(request.original_model, {.name = "the model"});
  expected.inputs = deploy::random_inputs(request.pruned, 1, request.unknown_size, request.seed);
  try {
    expected.before = exec::Program::compile(original, {}).run(expected.inputs);
  } catch (const base::UserError& error) {
    const bool drawn = std::ranges::any_of(
        expected.inputs, [](const Tensor& input) { return !input.is_floating_point(); });
    if (!drawn) throw;
    throw base::UserError(fmt::format(
        "the model does not take the integers that were drawn for its inputs: {}", error.what()));
  }
  expected.after = exec::Program::compile(request.pruned, {}).run(expected.inputs);
  return expected;
}

/// True when an engine loads and runs a file.
template <typename Run>
bool takes(const Run& run, std::string_view file) {
  try {
    static_cast<void>(run(file));
    return true;
  } catch (const base::UserError&) {
    return false;
  }
}

void judge(const PrunedEnginesRequest& request, const std::string& name, const Expected& expected,
           Json& row) {
  deploy::Engine& engine = request.open(name);
  row["version"] = engine.version();
  const auto run = [&](std::string_view file) {
    return engine.load(file, {.threads = request.threads})->run(expected.inputs);
  };
  const auto run_pruned = [&] {
    try {
      return run(request.pruned_model);
    } catch (const base::UserError& error) {
      if (takes(run, request.original_model)) throw;
      throw base::UserError(fmt::format(
          "the engine does not take this model, cut or not (drawn inputs): {}", error.what()));
    }
  };
  const double distance = passes::largest_difference(run_pruned(), expected.after);
  row["difference"] = distance;
  if (distance > request.limit) {
    const double before = passes::largest_difference(run(request.original_model), expected.before);
    const std::string whole =
        before > request.limit
            ? fmt::format(
                  "; so do those of the file before the cut, by {:.2e}: the engine "
                  "computes this model otherwise",
                  before)
            : "";
    row["failure"] = fmt::format("its outputs differ from the executor's by {:.2e}, limit {:.0e}{}",
                                 distance, request.limit, whole);
  }
  if (request.latency_rounds > 0) add_latency(request, name, row);
}

}  // namespace

report::Json judge_in_engines(const PrunedEnginesRequest& request) {
  std::optional<Expected> expected;
  Json rows = Json::array();
  for (const std::string& name : request.engines) {
    Json row = Json::object({{"name", name}, {"version", ""}, {"failure", ""}});
    try {
      if (!expected) expected = compute_expected(request);
      judge(request, name, *expected, row);
    } catch (const base::UserError& error) {
      row["failure"] = std::string(error.what());
    } catch (const base::UnsupportedError& error) {
      row["failure"] = std::string(error.what());
    }
    row["passed"] = row.at("failure").as_string().empty();
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace espalier::recipe
