#include "espalier/train/denormals.h"

#include <ATen/Context.h>

#include "espalier/tensor/parallel.h"

namespace espalier::train {
namespace {

/// libtorch sets a register of the calling thread: one task a thread sets it everywhere.
void set_everywhere(bool on) {
  at::globalContext().setFlushDenormal(on);
  at::parallel_for(0, at::get_num_threads(), 1,
                   [on](std::int64_t, std::int64_t) { at::globalContext().setFlushDenormal(on); });
}

}  // namespace

FlushDenormals::FlushDenormals() {
  set_everywhere(true);
}

FlushDenormals::~FlushDenormals() {
  set_everywhere(false);
}

}  // namespace espalier::train
