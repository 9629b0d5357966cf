// speedup_<net>_<engine>: float time / INT8 time of the same network, batch 1, one thread.
#include <array>

#include <fmt/format.h>

#include "benchmarks/image_pool.h"
#include "benchmarks/quantized_net.h"
#include "benchmarks/suite.h"
#include "espalier/deploy/bench.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

struct Net {
  std::string_view name;
  double target;
};
constexpr std::array<Net, 2> kNets = {{{"ResNet50", 3.2}, {"MobileNetV1", 2.4}}};

}  // namespace

Numbers speedup_child(std::span<const std::string> arguments) {
  constexpr std::int64_t kImageSize = 224;
  const int rounds = std::stoi(arguments[1]);
  const NetFiles files =
      quantize_net(zoo::build(arguments[0], {.seed = 1}), make_images(8, kImageSize, /*seed=*/1));
  Numbers numbers;
  for (const std::string& engine : deploy::engine_names()) {
    const auto rows =
        deploy::bench({{.model = "float", .bytes = files.float_bytes, .engine = engine},
                       {.model = "int8", .bytes = files.quantized_bytes, .engine = engine}},
                      {.latency = {.rounds = rounds}});
    numbers[engine] = rows[1].against_first.ratio;
    numbers[engine + "_low"] = rows[1].against_first.low;
    numbers[engine + "_high"] = rows[1].against_first.high;
    numbers[engine + "_float_ms"] = rows[0].latency.median_ms;
    numbers[engine + "_int8_ms"] = rows[1].latency.median_ms;
  }
  return numbers;
}

std::vector<Row> measure_speedup(const SuiteOptions& options) {
  std::vector<Row> rows;
  for (const Net& net : kNets) {
    auto [numbers, failure] =
        try_child(child_command("speedup", {std::string(net.name), options.quick ? "5" : "40"}));
    for (const std::string& engine : deploy::engine_names()) {
      Row row{.name = fmt::format("speedup_{}_{}", net.name, engine),
              .value = numbers[engine],
              .target = net.target,
              .bound = Bound::AtLeast,
              .failure = failure};
      row.detail = fmt::format("float {:.2f} ms, INT8 {:.2f} ms, 95 % {:.2f} to {:.2f}",
                               numbers[engine + "_float_ms"], numbers[engine + "_int8_ms"],
                               numbers[engine + "_low"], numbers[engine + "_high"]);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace espalier::benchmarks
