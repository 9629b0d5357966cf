#pragma once

#include <functional>
#include <string>
#include <vector>

#include "espalier/process/child.h"
#include "espalier/recipe/sensitivity.h"

namespace espalier::recipe {

/// Processes that each hold the model and the images and measure one group after another.
class SensitivityWorkers {
 public:
  /// Starts `count` of them and waits until all are ready. Throws UserError when one fails.
  SensitivityWorkers(const std::vector<std::string>& command, int count);

  /// What all of them have measured on.
  [[nodiscard]] const SensitivityHeader& header() const { return header_; }
  /// Hands out the work, in order, to whoever is free. Throws UserError when a worker fails.
  void run(const std::vector<OpenTrials>& work,
           const std::function<void(const SensitivityPoint&)>& found);

 private:
  [[nodiscard]] process::ChildEvent next();

  process::Children children_;
  SensitivityHeader header_;
};

}  // namespace espalier::recipe
