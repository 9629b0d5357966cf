#include <ATen/ops/convolution.h>

#include "espalier/exec/kernels/convolve.h"
#include "espalier/exec/kernels/factories.h"

namespace espalier::exec {

Kernel make_conv(const KernelRequest& request) {
  const ConvSettings settings = parse_conv(request.node);
  Tensor weight;
  if (const Tensor* constant = request.constant(1)) {
    weight = lay_out_weight(*constant, request.options);
  }
  return [settings, weight](Call& call) {
    const Tensor bias = call.has_input(2) ? call.inputs[2] : Tensor();
    const Tensor& kernel = weight.defined() ? weight : call.inputs[1];
    call.outputs[0] = convolve(call.inputs[0], kernel, bias, settings);
  };
}

}  // namespace espalier::exec
