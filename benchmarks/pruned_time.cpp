// pruned_time_<engine>_<float|int8>: time of ResNet-50 cut to half its multiply-accumulates / time
// of the whole network, batch 1, one thread.
#include <array>

#include <fmt/format.h>

#include "benchmarks/image_pool.h"
#include "benchmarks/quantized_net.h"
#include "benchmarks/suite.h"
#include "espalier/base/error.h"
#include "espalier/deploy/bench.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/pipelines.h"
#include "espalier/prune/budget.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

constexpr std::array<std::string_view, 2> kKinds = {"float", "int8"};

/// The graph with half its multiply-accumulates, channel counts multiples of 16.
ir::Graph half_of(const ir::Graph& graph) {
  ir::Graph cut = graph.clone();
  passes::run(cut, passes::prepare_for_pruning());
  const prune::ChannelMap map(cut);
  const auto scores = prune::score_channels(map, {.criterion = "l1"});
  const prune::BudgetResult result =
      prune::meet_budget(cut, map, scores, {.remaining = 0.5, .limits = {.align = 16}});
  if (!result.reached) throw base::UserError(result.reason);
  passes::cut_channels(cut, result.plan);
  return cut;
}

}  // namespace

Numbers pruned_time_child(std::span<const std::string> arguments) {
  const int rounds = std::stoi(arguments[0]);
  const Tensor images = make_images(8, /*size=*/224, /*seed=*/1);
  const ir::Graph graph = zoo::build("ResNet50", {.seed = 1});
  const NetFiles whole = quantize_net(graph, images);
  const NetFiles pruned = quantize_net(half_of(graph), images);
  Numbers numbers;
  for (const std::string& engine : deploy::engine_names()) {
    for (const std::string_view kind : kKinds) {
      const auto bytes = kind == "int8" ? &NetFiles::quantized_bytes : &NetFiles::float_bytes;
      const auto rows =
          deploy::bench({{.model = "whole", .bytes = whole.*bytes, .engine = engine},
                         {.model = "pruned", .bytes = pruned.*bytes, .engine = engine}},
                        {.latency = {.rounds = rounds}});
      const std::string name = fmt::format("{}_{}", engine, kind);
      // The ratio of deploy::bench is a speedup.
      numbers[name] = 1 / rows[1].against_first.ratio;
      numbers[name + "_low"] = 1 / rows[1].against_first.high;
      numbers[name + "_high"] = 1 / rows[1].against_first.low;
      numbers[name + "_whole_ms"] = rows[0].latency.median_ms;
      numbers[name + "_pruned_ms"] = rows[1].latency.median_ms;
    }
  }
  return numbers;
}

std::vector<Row> measure_pruned_time(const SuiteOptions& options) {
  auto [numbers, failure] = try_child(child_command("pruned_time", {options.quick ? "5" : "40"}));
  std::vector<Row> rows;
  for (const std::string& engine : deploy::engine_names()) {
    for (const std::string_view kind : kKinds) {
      const std::string name = fmt::format("{}_{}", engine, kind);
      Row row{.name = fmt::format("pruned_time_{}", name),
              .value = numbers[name],
              .target = 0.6,
              .bound = Bound::AtMost,
              .failure = failure};
      row.detail = fmt::format("whole {:.2f} ms, half {:.2f} ms, 95 % {:.2f} to {:.2f}",
                               numbers[name + "_whole_ms"], numbers[name + "_pruned_ms"],
                               numbers[name + "_low"], numbers[name + "_high"]);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace espalier::benchmarks
