// AddressSanitizer ends the program when a library is opened with RTLD_DEEPBIND, as Debian's TBB
// opens its helper (which OpenCV brings in). Programs of sanitized presets open it without that
// flag.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int mode) noexcept {
  using Open = void* (*)(const char*, int);
  // POSIX allows the conversion of dlsym's result to a function.
  static const auto next = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "dlopen"));
  return next(file, mode & ~RTLD_DEEPBIND);
}
