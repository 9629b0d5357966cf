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

/// Adam (Kingma and Ba, ICLR 2015), and with decoupled decay AdamW (Loshchilov and Hutter, ICLR
/// 2019), at the t-th update of a parameter:
///   g = gradient + (decoupled ? 0 : weight_decay * p)
///   m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
///   p -= lr * (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
///              + (decoupled ? weight_decay * p : 0))
/// Such a step is about as large as lr whatever the size of p. A parameter of a relative group
/// takes it times |p|, element for element (the idea of Adafactor's relative steps: Shazeer and
/// Stern, ICML 2018), so that a scale of 0.001 survives a rate of 0.01.
struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool decoupled_decay = false;
};

/// Every optimizer there is; a new one is a struct here, a class in its own file, and a row of
/// make_optimizer.
using OptimizerOptions = std::variant<SgdOptions, AdamOptions>;

/// A parameter with the numbers of its group.
struct OptimizedParameter {
  std::string name;
  Tensor value;  ///< shares its memory with the program's
  double weight_decay = 0;
  double lr_scale = 1;
  bool relative = false;
};

/// Changes parameters in place from their gradients.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One update with the rate `lr` (times each group's lr_scale). Parameters without a gradient,
  /// as frozen ones are, stay as they are with all their state.
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
  /// Copies the saved slots that have a place of the same name and shape here; the others start as
  /// they are. Gives how many were taken. For a graph that was changed in the middle of a training.
  std::size_t adopt_slots(const exec::TensorMap& saved);

 protected:
  /// Every parameter must fill its memory without gaps.
  explicit Optimizer(std::vector<OptimizedParameter> parameters);
  [[nodiscard]] const std::vector<OptimizedParameter>& parameters() const { return parameters_; }
  /// The gradient of each parameter in the parameter's type and memory layout; undefined where
  /// there is none.
  [[nodiscard]] std::vector<Tensor> aligned_gradients() const;

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
