#pragma once

#include <cstddef>
#include <functional>

namespace espalier::tensor {

/// One intra-operator thread in this thread, until the end of the scope: small operators wait
/// longer for their helpers than they compute.
class OneIntraThread {
 public:
  OneIntraThread();
  OneIntraThread(const OneIntraThread&) = delete;
  OneIntraThread& operator=(const OneIntraThread&) = delete;
  ~OneIntraThread();

 private:
  int before_;
};

/// Calls `work` once for every number in first..last-1, on several threads with one intra-operator
/// thread each: what a number gives does not depend on how many there are. Rethrows the first
/// exception once all threads have stopped; Interrupted on a signal.
void for_each_index(std::size_t first, std::size_t last, int threads,
                    const std::function<void(std::size_t index)>& work);

}  // namespace espalier::tensor
