#include "benchmarks/suite.h"

#include <array>

namespace espalier::benchmarks {

std::span<const Benchmark> benchmarks() {
  static constexpr std::array<Benchmark, 7> kTable = {{
      {"calibration", measure_calibration},
      {"float_step", measure_float_step},
      {"loader_share", measure_loader_share},
      {"pruned_time", measure_pruned_time},
      {"qat_step", measure_qat_step},
      {"speedup", measure_speedup},
      {"sweep", measure_sweep},
  }};
  return kTable;
}

std::span<const Child> children() {
  static constexpr std::array<Child, 8> kTable = {{
      {"calibration_cost", calibration_cost_child},
      {"calibration_memory", calibration_memory_child},
      {"float_step", float_step_child},
      {"loader_share", loader_share_child},
      {"pruned_time", pruned_time_child},
      {"qat_step", qat_step_child},
      {"speedup", speedup_child},
      {"sweep", sweep_child},
  }};
  return kTable;
}

std::vector<std::string> child_command(std::string_view name,
                                       const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {own_program().string(), "--child", std::string(name)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace espalier::benchmarks
