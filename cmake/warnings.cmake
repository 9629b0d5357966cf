# Interface target that every target of ours links: warnings, sanitizers, hidden pitfalls of the
# prebuilt libraries.
add_library(espalier_flags INTERFACE)
target_compile_options(espalier_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -fno-math-errno
  -ffp-contract=off)
if(ESPALIER_SANITIZE)
  target_compile_options(espalier_flags INTERFACE
    -fsanitize=${ESPALIER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(espalier_flags INTERFACE -fsanitize=${ESPALIER_SANITIZE})
endif()
# The checks of UBSan that stand at every use of a pointer take a third of the compiler's time. What
# is tested has them; in the tests' own code AddressSanitizer stops at a null pointer as well.
if(ESPALIER_SANITIZE MATCHES "undefined")
  target_compile_options(espalier_flags INTERFACE
    $<$<BOOL:$<TARGET_PROPERTY:ESPALIER_TEST_CODE>>:-fno-sanitize=null,alignment,object-size,vptr>)
endif()
if(ESPALIER_FUZZ)
  target_compile_options(espalier_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(MOLD mold)
if(MOLD)
  target_link_options(espalier_flags INTERFACE -fuse-ld=mold)
endif()
# Clones in different folders share the cache; not for coverage, whose objects know their folder.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_FLAGS_DEBUG MATCHES "coverage")
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE})
endif()
