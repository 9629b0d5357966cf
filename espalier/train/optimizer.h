#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/train/parameter_groups.h"

namespace espalier::train {

/// Stochastic gradient descent with momentum:
///   g = gradient + weight_decay * p;  v = momentum * v + g;
///   p -= lr * (nesterov ? g + momentum * v : v)
/// (Sutskever et al., ICML 2013, as PyTorch and Paddle write it).
struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
};

/// Every optimizer there is; a new one is a struct here, a class in its own file, and a row of
/// make_optimizer.
using OptimizerOptions = std::variant<SgdOptions>;

/// A parameter with the numbers of its group.
struct OptimizedParameter {
  std::string name;
  Tensor value;  ///< shares its memory with the program's
  double weight_decay = 0;
  double lr_scale = 1;
};

/// Changes parameters in place from their gradients.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One update with the rate `lr` (times each group's lr_scale). Parameters without a gradient
  /// stay as they are.
  virtual void step(double lr) = 0;
  /// State tensors, "<slot>/<parameter>"; they share memory with the optimizer's.
  [[nodiscard]] virtual exec::TensorMap slots() const = 0;
  /// One line that names the optimizer and its numbers.
  [[nodiscard]] virtual std::string describe() const = 0;

  /// Drops all gradients.
  void clear_gradients();
  /// Copies saved slots. Throws UserError naming a slot that is missing, unknown, or of another
  /// shape.
  void load_slots(const exec::TensorMap& saved);

 protected:
  explicit Optimizer(std::vector<OptimizedParameter> parameters)
      : parameters_(std::move(parameters)) {}
  [[nodiscard]] const std::vector<OptimizedParameter>& parameters() const { return parameters_; }

 private:
  std::vector<OptimizedParameter> parameters_;
};

/// Throws UserError for numbers out of range, UnsupportedError for parameters that are neither
/// float32 nor float64, InternalError when a group names an unknown parameter or a parameter is in
/// no group or two.
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        const exec::TensorMap& parameters,
                                                        const std::vector<ParameterGroup>& groups);

}  // namespace espalier::train
