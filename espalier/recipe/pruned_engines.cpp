#include "espalier/recipe/pruned_engines.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/deploy/bench.h"
#include "espalier/exec/program.h"

namespace espalier::recipe {
namespace {

using report::Json;

/// Size of unknown dimensions of the inputs.

/// max|d| / max|y| of the output where it is largest; infinite where sizes differ.
double difference(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  if (actual.size() != expected.size()) return HUGE_VAL;
  double largest = 0;
  for (std::size_t index = 0; index < expected.size(); ++index) {
    if (actual[index].sizes() != expected[index].sizes()) return HUGE_VAL;
    const Tensor wanted = expected[index].to(at::kDouble);
    if (wanted.numel() == 0) continue;
    const double distance = (actual[index].to(at::kDouble) - wanted).abs().max().item<double>();
    const double relative = distance == 0 ? 0 : distance / wanted.abs().max().item<double>();
    largest = std::max(largest, std::isfinite(relative) ? relative : HUGE_VAL);
  }
  return largest;
}

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

void judge(const PrunedEnginesRequest& request, const std::string& name,
           const std::vector<Tensor>& inputs, const std::vector<Tensor>& expected, Json& row) {
  deploy::Engine& engine = request.open(name);
  row["version"] = engine.version();
  const auto model = engine.load(request.pruned_model, {.threads = request.threads});
  const double distance = difference(model->run(inputs), expected);
  row["difference"] = distance;
  if (distance > request.limit) {
    row["failure"] = fmt::format("its outputs differ from the executor's by {:.2e}, limit {:.0e}",
                                 distance, request.limit);
  }
  if (request.latency_rounds > 0) add_latency(request, name, row);
}

}  // namespace

report::Json judge_in_engines(const PrunedEnginesRequest& request) {
  std::vector<Tensor> inputs;
  std::vector<Tensor> expected;
  Json rows = Json::array();
  for (const std::string& name : request.engines) {
    Json row = Json::object({{"name", name}, {"version", ""}, {"failure", ""}});
    try {
      if (inputs.empty()) {
        inputs = deploy::random_inputs(request.pruned, 1, request.unknown_size, request.seed);
        expected = exec::Program::compile(request.pruned, {}).run(inputs);
      }
      judge(request, name, inputs, expected, row);
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
