#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/celu.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/prelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/threshold.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include "espalier/exec/kernels/extreme.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"

namespace espalier::exec {
namespace {

using Function = std::function<Tensor(const Tensor&)>;

Function hard_sigmoid(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 0.2F);
  const float beta = node.get_float("beta", 0.5F);
  return [alpha, beta](const Tensor& x) { return at::clamp(x * alpha + beta, 0, 1); };
}

Function elu(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 1.0F);
  return [alpha](const Tensor& x) { return at::elu(x, alpha); };
}

Function selu(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 1.6732632F);
  const float gamma = node.get_float("gamma", 1.0507010F);
  return [alpha, gamma](const Tensor& x) { return at::elu(x, alpha, gamma); };
}

Function celu(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 1.0F);
  return [alpha](const Tensor& x) { return at::celu(x, alpha); };
}

Function leaky_relu(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 0.01F);
  return [alpha](const Tensor& x) { return at::leaky_relu(x, alpha); };
}

Function thresholded_relu(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 1.0F);
  return [alpha](const Tensor& x) { return at::threshold(x, alpha, 0); };
}

Function gelu(const ir::Node& node) {
  const std::string form = node.get_string("approximate", "none");
  return [form](const Tensor& x) { return at::gelu(x, form); };
}

Function shrink(const ir::Node& node) {
  const float bias = node.get_float("bias", 0.0F);
  const float limit = node.get_float("lambd", 0.5F);
  return [bias, limit](const Tensor& x) {
    const Tensor zero = at::zeros_like(x);
    const Tensor result = at::where(x < -limit, x + bias, at::where(x > limit, x - bias, zero));
    return result.to(x.scalar_type());
  };
}

Function softplus(const ir::Node&) {
  // Beyond the threshold log(1 + exp(x)) equals x in float64 too.
  constexpr double kThreshold = 40;
  return [](const Tensor& x) { return at::softplus(x, 1, kThreshold); };
}

template <Tensor (*kApply)(const Tensor&)>
Function plain(const ir::Node&) {
  return [](const Tensor& x) { return kApply(x); };
}

Tensor softsign(const Tensor& x) {
  return x / (at::abs(x) + 1);
}

struct Row {
  std::string_view op;
  Function (*make)(const ir::Node& node);
  Tensor& (*in_place)(Tensor&) = nullptr;  ///< without parameters only
};

constexpr std::array kActivations{
    Row{"Celu", celu},
    Row{"Elu", elu},
    Row{"Gelu", gelu},
    Row{"HardSigmoid", hard_sigmoid},
    Row{"HardSwish", plain<at::hardswish>, at::hardswish_},
    Row{"LeakyRelu", leaky_relu},
    Row{"Mish", plain<at::mish>, at::mish_},
    Row{"Selu", selu},
    Row{"Shrink", shrink},
    Row{"Sigmoid", plain<at::sigmoid>, at::sigmoid_},
    Row{"Softplus", softplus},
    Row{"Softsign", plain<softsign>},
    Row{"Tanh", plain<at::tanh>, at::tanh_},
    Row{"ThresholdedRelu", thresholded_relu},
};

/// One limit of Clip: a number known at compile time, or an input.
class Limit {
 public:
  Limit(const KernelRequest& request, std::size_t port) : port_(port) {
    if (const Tensor* constant = request.constant(port)) known_ = read(*constant);
  }
  [[nodiscard]] std::optional<at::Scalar> get(const Call& call) const {
    if (known_ || !call.has_input(port_)) return known_;
    return read(call.inputs[port_]);
  }

 private:
  static at::Scalar read(const Tensor& tensor) {
    if (tensor.numel() != 1) throw std::invalid_argument("a limit must be one number");
    const bool wide = c10::isBarebonesUnsignedType(tensor.scalar_type());
    return wide ? tensor.to(at::kLong).item() : tensor.item();
  }
  std::size_t port_;
  std::optional<at::Scalar> known_;
};

}  // namespace

Kernel make_relu(const KernelRequest&) {
  return [](Call& call) {
    Tensor input = std::move(call.inputs[0]);
    // relu's gradient needs only its result, so that the input may go in training too.
    call.outputs[0] = may_overwrite(input) ? at::relu_(input) : at::relu(input);
  };
}

Kernel make_clip(const KernelRequest& request) {
  return [low = Limit(request, 1), high = Limit(request, 2)](Call& call) {
    const auto least = low.get(call);
    const auto most = high.get(call);
    Tensor input = std::move(call.inputs[0]);
    if (!least && !most) {
      call.outputs[0] = input;
    } else if (c10::isBarebonesUnsignedType(input.scalar_type())) {
      call.outputs[0] = at::clamp(input.to(at::kLong), least, most).to(input.scalar_type());
    } else if (!c10::GradMode::is_enabled() && may_overwrite(input)) {
      call.outputs[0] = at::clamp_(input, least, most);
    } else {
      call.outputs[0] = at::clamp(input, least, most).to(input.scalar_type());
    }
  };
}

Kernel make_simple_activation(const KernelRequest& request) {
  const auto row =
      std::find_if(kActivations.begin(), kActivations.end(),
                   [&](const Row& candidate) { return candidate.op == request.node.op(); });
  return [apply = row->make(request.node), in_place = row->in_place](Call& call) {
    Tensor input = std::move(call.inputs[0]);
    const bool reuse = in_place != nullptr && !c10::GradMode::is_enabled() && may_overwrite(input);
    call.outputs[0] = reuse ? in_place(input) : apply(input);
  };
}

Kernel make_prelu(const KernelRequest&) {
  return [](Call& call) {
    const Tensor& input = call.inputs[0];
    const Tensor& slope = call.inputs[1];
    const std::int64_t trailing = input.dim() - 2;
    const bool per_channel = input.dim() >= 2 && slope.numel() == input.size(1) &&
                             slope.dim() == trailing + 1 && slope.size(0) == input.size(1);
    if (input.is_floating_point() && (slope.numel() == 1 || per_channel)) {
      call.outputs[0] = at::prelu(input, slope.reshape({-1}));
    } else {
      call.outputs[0] = at::where(input < 0, input * slope, input);
    }
  };
}

Kernel make_softmax(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  const bool logarithm = request.node.is("LogSoftmax");
  return [axis, logarithm](Call& call) {
    const Tensor& input = call.inputs[0];
    call.outputs[0] = logarithm ? at::log_softmax(input, axis) : at::softmax(input, axis);
  };
}

Kernel make_hardmax(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  return [axis](Call& call) {
    const Tensor& input = call.inputs[0];
    const Tensor first = index_of_extreme(input, axis).unsqueeze(axis);
    call.outputs[0] = at::zeros_like(input).scatter_(axis, first, 1);
  };
}

}  // namespace espalier::exec
