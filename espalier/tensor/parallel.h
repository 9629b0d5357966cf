#pragma once

#include <ATen/Parallel.h>

// Included in place of <ATen/Parallel.h> by what calls at::parallel_for (setting the number of
// threads needs only that): without OpenMP it runs its loop on the calling thread and says nothing.
#if !defined(_OPENMP) && !defined(__clang__)
#error "list this file under espalier_parallel_sources of its folder's CMakeLists.txt"
#endif
