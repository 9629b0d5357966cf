// Found before libtorch's header of this name. Every header of an operator (ATen/ops/*.h) includes
// that one and uses nothing of it; it brings in IValue, which took half of the compiler's time for
// a source that names an operator. Guards of devices: c10/core/DeviceGuard.h.
#pragma once
