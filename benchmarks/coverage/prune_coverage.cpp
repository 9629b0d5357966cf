// espalier_prune_coverage MODEL.onnx REMAINING ALIGN CUT.onnx: prunes one model to a share of its
// multiply-accumulates, proves the cut, writes it, and prints what happened as one line of JSON.
#include <chrono>
#include <cstdio>
#include <set>
#include <span>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/onnx/codec.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/pipelines.h"
#include "espalier/prune/budget.h"
#include "espalier/recipe/cut_proof.h"
#include "espalier/report/json.h"

namespace espalier::benchmarks {
namespace {

using report::Json;

class Stopwatch {
 public:
  /// Seconds since the last call.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Every reason why channels of layers must stay, apart from inputs and outputs of the graph, with
/// the number of groups that it holds.
Json vetoes_json(const prune::ChannelMap& map) {
  std::map<std::string, std::int64_t> counts;
  for (const prune::ChannelGroup& group : map.groups()) {
    for (const prune::Veto& veto : group.vetoes) {
      if (!veto.where.ends_with("of the graph")) ++counts[veto.where + ": " + veto.reason];
    }
  }
  Json json = Json::object();
  for (const auto& [text, count] : counts) json[text] = count;
  return json;
}

Json cover(const std::string& model, double remaining, std::int64_t align,
           const std::string& output) {
  Stopwatch watch;
  ir::Graph graph = onnx::load(model);
  passes::run(graph, passes::prepare_for_pruning());
  Json json = Json::object({{"load_seconds", watch.lap()}});
  const prune::ChannelMap map(graph);
  json["groups_seconds"] = watch.lap();
  json["groups"] = static_cast<std::int64_t>(map.groups().size());
  json["cuttable"] = static_cast<std::int64_t>(
      std::ranges::count_if(map.groups(), &prune::ChannelGroup::can_be_cut));
  json["vetoes"] = vetoes_json(map);
  (void)watch.lap();
  const auto scores = prune::score_channels(map, {.criterion = "l1"});
  json["score_seconds"] = watch.lap();
  const prune::BudgetResult result =
      prune::meet_budget(graph, map, scores, {.remaining = remaining, .limits = {.align = align}});
  json["budget_seconds"] = watch.lap();
  json["remaining"] = result.remaining;
  json["reached"] = result.reached;
  json["reason"] = result.reason;
  ir::Graph cut = graph.clone();
  (void)watch.lap();
  passes::cut_channels(cut, result.plan);
  json["cut_seconds"] = watch.lap();
  onnx::save(cut, output);
  (void)watch.lap();
  json["check"] = recipe::to_json(passes::check_cut(graph, result.plan));
  json["check_seconds"] = watch.lap();
  return json;
}

int main_of(std::span<char*> words) {
  if (words.size() != 5) {
    fmt::print(stderr, "espalier_prune_coverage MODEL.onnx REMAINING ALIGN CUT.onnx\n");
    return 2;
  }
  try {
    const Json json = cover(words[1], std::stod(words[2]), std::stoll(words[3]), words[4]);
    fmt::print("{}\n", report::to_text(json, -1));
    return 0;
  } catch (const base::Error& error) {
    fmt::print("{}\n", report::to_text(Json::object({{"error", std::string(error.what())}}), -1));
    return static_cast<int>(error.exit_code());
  }
}

}  // namespace
}  // namespace espalier::benchmarks

int main(int count, char** words) {
  return espalier::benchmarks::main_of(std::span(words, static_cast<std::size_t>(count)));
}
