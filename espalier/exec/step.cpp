#include "espalier/exec/step.h"

#include <new>
#include <stdexcept>

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/tensor/dtype.h"

namespace espalier::exec {
namespace {

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

std::string describe_inputs(std::span<const Tensor> inputs) {
  std::vector<std::string> parts;
  for (const Tensor& input : inputs) {
    if (!input.defined()) {
      parts.emplace_back("-");
      continue;
    }
    parts.push_back(fmt::format("{}[{}]",
                                tensor::to_string(tensor::from_scalar_type(input.scalar_type())),
                                fmt::join(input.sizes(), ",")));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

[[noreturn]] void throw_step_error(const Step& step, const Call& call, std::string_view reason) {
  throw base::UserError({.what = "cannot compute the model",
                         .where = step.label,
                         .got = "inputs " + describe_inputs(call.inputs),
                         .hint = first_line(reason)});
}

void bring_inputs(const Step& step, Call& call, const CompileOptions& options) {
  const at::ScalarType dtype = *tensor::to_scalar_type(options.dtype);
  for (const std::size_t index : step.to_data) {
    Tensor& input = call.inputs[index];
    if (!input.defined()) continue;
    if (input.is_floating_point() && input.scalar_type() != dtype) input = input.to(dtype);
    if (input.device() != options.device) input = input.to(options.device);
  }
  for (const std::size_t index : step.to_host) {
    Tensor& input = call.inputs[index];
    if (input.defined() && !input.is_cpu()) input = input.cpu();
  }
}

}  // namespace

Kernel make_named(const ir::Node& node, const std::function<Kernel()>& make) {
  const auto fail = [&](std::string_view reason) {
    throw base::UserError({.what = "cannot prepare the model to run",
                           .where = node.label(),
                           .got = first_line(reason)});
  };
  try {
    return make();
  } catch (const base::Error&) {
    throw;
  } catch (const c10::Error& error) {
    fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(error.what());
  }
  return {};
}

void run_step(const Step& step, Call& call, const CompileOptions& options) {
  try {
    bring_inputs(step, call, options);
    step.kernel(call);
  } catch (const base::Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw_step_error(step, call, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw_step_error(step, call, "not enough memory");
  } catch (const std::exception& error) {
    throw_step_error(step, call, error.what());
  }
}

}  // namespace espalier::exec
