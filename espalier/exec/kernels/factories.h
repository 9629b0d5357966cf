#pragma once

#include "espalier/exec/kernel.h"

namespace espalier::exec {

// One factory an operator or family of operators (which then looks at the node's operator), in the
// order of the source files that hold them. table.cpp says which operator uses which.

// activation.cpp
[[nodiscard]] Kernel make_relu(const KernelRequest& request);
[[nodiscard]] Kernel make_clip(const KernelRequest& request);
[[nodiscard]] Kernel make_simple_activation(const KernelRequest& request);
[[nodiscard]] Kernel make_prelu(const KernelRequest& request);
[[nodiscard]] Kernel make_softmax(const KernelRequest& request);
[[nodiscard]] Kernel make_hardmax(const KernelRequest& request);

// cast.cpp
[[nodiscard]] Kernel make_cast(const KernelRequest& request);
[[nodiscard]] Kernel make_cast_like(const KernelRequest& request);

// conv.cpp
[[nodiscard]] Kernel make_conv(const KernelRequest& request);

// conv_transpose.cpp
[[nodiscard]] Kernel make_conv_transpose(const KernelRequest& request);

// data_movement.cpp
[[nodiscard]] Kernel make_concat(const KernelRequest& request);
[[nodiscard]] Kernel make_split(const KernelRequest& request);
[[nodiscard]] Kernel make_slice(const KernelRequest& request);
[[nodiscard]] Kernel make_tile(const KernelRequest& request);
[[nodiscard]] Kernel make_depth_to_space(const KernelRequest& request);
[[nodiscard]] Kernel make_space_to_depth(const KernelRequest& request);
[[nodiscard]] Kernel make_trilu(const KernelRequest& request);
[[nodiscard]] Kernel make_where(const KernelRequest& request);
[[nodiscard]] Kernel make_center_crop_pad(const KernelRequest& request);

// elementwise.cpp
[[nodiscard]] Kernel make_unary(const KernelRequest& request);
[[nodiscard]] Kernel make_binary(const KernelRequest& request);
[[nodiscard]] Kernel make_variadic(const KernelRequest& request);
[[nodiscard]] Kernel make_add(const KernelRequest& request);
[[nodiscard]] Kernel make_mod(const KernelRequest& request);
[[nodiscard]] Kernel make_bit_shift(const KernelRequest& request);
[[nodiscard]] Kernel make_is_inf(const KernelRequest& request);

// fake_quantize.cpp
[[nodiscard]] Kernel make_fake_quantize(const KernelRequest& request);
/// Of a quantizer with one scale in training that reads what a Relu in front would read, in float32
/// on the CPU.
[[nodiscard]] Kernel make_rectified_quantizer(const KernelRequest& request);

// gather.cpp
[[nodiscard]] Kernel make_gather(const KernelRequest& request);
[[nodiscard]] Kernel make_gather_elements(const KernelRequest& request);
[[nodiscard]] Kernel make_gather_nd(const KernelRequest& request);
[[nodiscard]] Kernel make_scatter_elements(const KernelRequest& request);
[[nodiscard]] Kernel make_scatter_nd(const KernelRequest& request);
[[nodiscard]] Kernel make_compress(const KernelRequest& request);

// generate.cpp
[[nodiscard]] Kernel make_constant(const KernelRequest& request);
[[nodiscard]] Kernel make_constant_of_shape(const KernelRequest& request);
[[nodiscard]] Kernel make_range(const KernelRequest& request);
[[nodiscard]] Kernel make_eye_like(const KernelRequest& request);
[[nodiscard]] Kernel make_one_hot(const KernelRequest& request);
[[nodiscard]] Kernel make_non_zero(const KernelRequest& request);

// grid_sample.cpp
[[nodiscard]] Kernel make_grid_sample(const KernelRequest& request);

// integer_product.cpp
[[nodiscard]] Kernel make_conv_integer(const KernelRequest& request);
[[nodiscard]] Kernel make_qlinear_conv(const KernelRequest& request);
[[nodiscard]] Kernel make_mat_mul_integer(const KernelRequest& request);
[[nodiscard]] Kernel make_qlinear_mat_mul(const KernelRequest& request);

// matmul.cpp
[[nodiscard]] Kernel make_mat_mul(const KernelRequest& request);
[[nodiscard]] Kernel make_gemm(const KernelRequest& request);
[[nodiscard]] Kernel make_einsum(const KernelRequest& request);

// normalization.cpp
[[nodiscard]] Kernel make_batch_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_instance_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_layer_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_group_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_rms_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_lp_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_mean_variance_normalization(const KernelRequest& request);
[[nodiscard]] Kernel make_lrn(const KernelRequest& request);
[[nodiscard]] Kernel make_dropout(const KernelRequest& request);

// order.cpp
[[nodiscard]] Kernel make_arg_extreme(const KernelRequest& request);
[[nodiscard]] Kernel make_top_k(const KernelRequest& request);
[[nodiscard]] Kernel make_cum_sum(const KernelRequest& request);

// pad.cpp
[[nodiscard]] Kernel make_pad(const KernelRequest& request);

// pool.cpp
[[nodiscard]] Kernel make_max_pool(const KernelRequest& request);
[[nodiscard]] Kernel make_average_pool(const KernelRequest& request);
[[nodiscard]] Kernel make_lp_pool(const KernelRequest& request);
[[nodiscard]] Kernel make_global_average_pool(const KernelRequest& request);
[[nodiscard]] Kernel make_global_max_pool(const KernelRequest& request);
[[nodiscard]] Kernel make_global_lp_pool(const KernelRequest& request);
[[nodiscard]] Kernel make_max_unpool(const KernelRequest& request);

// quantize.cpp
[[nodiscard]] Kernel make_quantize_linear(const KernelRequest& request);
[[nodiscard]] Kernel make_dequantize_linear(const KernelRequest& request);
[[nodiscard]] Kernel make_dynamic_quantize_linear(const KernelRequest& request);

// reduction.cpp
[[nodiscard]] Kernel make_reduction(const KernelRequest& request);

// resize.cpp
[[nodiscard]] Kernel make_resize(const KernelRequest& request);

// shape_ops.cpp
[[nodiscard]] Kernel make_shape(const KernelRequest& request);
[[nodiscard]] Kernel make_size(const KernelRequest& request);
[[nodiscard]] Kernel make_reshape(const KernelRequest& request);
[[nodiscard]] Kernel make_flatten(const KernelRequest& request);
[[nodiscard]] Kernel make_squeeze(const KernelRequest& request);
[[nodiscard]] Kernel make_unsqueeze(const KernelRequest& request);
[[nodiscard]] Kernel make_transpose(const KernelRequest& request);
[[nodiscard]] Kernel make_expand(const KernelRequest& request);
[[nodiscard]] Kernel make_identity(const KernelRequest& request);

}  // namespace espalier::exec
