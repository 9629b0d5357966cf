#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/child_process.h"
#include "benchmarks/row.h"

namespace espalier::benchmarks {

struct SuiteOptions {
  int threads = 2;
  bool quick = false;  ///< fewer repetitions: to see that everything runs, not to report
};

/// What a process of its own measures: called with the words after its name.
struct Child {
  std::string_view name;
  Numbers (*run)(std::span<const std::string> arguments);
};

/// One measurement: the rows it gives, and how to get them.
struct Benchmark {
  std::string_view name;  ///< what --only matches, a prefix of its rows' names
  std::vector<Row> (*run)(const SuiteOptions& options);
};

[[nodiscard]] std::span<const Benchmark> benchmarks();
[[nodiscard]] std::span<const Child> children();

/// Command line of one of children() with these arguments.
[[nodiscard]] std::vector<std::string> child_command(std::string_view name,
                                                     const std::vector<std::string>& arguments);

/// @name The measurements, one source file each
/// @{
[[nodiscard]] std::vector<Row> measure_calibration(const SuiteOptions& options);
[[nodiscard]] Numbers calibration_cost_child(std::span<const std::string> arguments);
[[nodiscard]] Numbers calibration_memory_child(std::span<const std::string> arguments);
[[nodiscard]] std::vector<Row> measure_float_step(const SuiteOptions& options);
[[nodiscard]] Numbers float_step_child(std::span<const std::string> arguments);
[[nodiscard]] std::vector<Row> measure_loader_share(const SuiteOptions& options);
[[nodiscard]] Numbers loader_share_child(std::span<const std::string> arguments);
[[nodiscard]] std::vector<Row> measure_pruned_time(const SuiteOptions& options);
[[nodiscard]] Numbers pruned_time_child(std::span<const std::string> arguments);
[[nodiscard]] std::vector<Row> measure_qat_step(const SuiteOptions& options);
[[nodiscard]] Numbers qat_step_child(std::span<const std::string> arguments);
[[nodiscard]] std::vector<Row> measure_speedup(const SuiteOptions& options);
[[nodiscard]] Numbers speedup_child(std::span<const std::string> arguments);
[[nodiscard]] std::vector<Row> measure_sweep(const SuiteOptions& options);
[[nodiscard]] Numbers sweep_child(std::span<const std::string> arguments);
/// @}

}  // namespace espalier::benchmarks
