# The helpers that every folder's CMakeLists.txt uses.

# Levels of cmake/layers.txt as variables LEVEL_<folder>.
file(STRINGS "${CMAKE_SOURCE_DIR}/cmake/layers.txt" layer_table REGEX "^[0-9]")
foreach(line IN LISTS layer_table)
  string(REGEX MATCH "^([0-9]+) ([a-z]+)" ignored "${line}")
  set(LEVEL_${CMAKE_MATCH_2} ${CMAKE_MATCH_1})
endforeach()

# espalier_bundle(TARGET): with ESPALIER_BUNDLE, that many sources of the target at a time are
# compiled as one file that includes them, which halves the compiler's time: most of it goes into
# what every source instantiates anew. Sources with options of their own stay alone. Called before
# the folder's list has ended, does its work when it has.
set(ESPALIER_BUNDLE 0 CACHE STRING "Sources that are compiled as one file, 0: each alone")
function(espalier_bundle target)
  if(ESPALIER_BUNDLE GREATER 1)
    cmake_language(EVAL CODE "cmake_language(DEFER CALL espalier_write_bundles ${target})")
  endif()
endfunction()

function(espalier_write_bundles target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  set(lines "")
  set(held 0)
  set(number 0)
  foreach(source IN LISTS sources)
    get_source_file_property(options ${source} COMPILE_OPTIONS)
    get_source_file_property(definitions ${source} COMPILE_DEFINITIONS)
    get_source_file_property(alone ${source} SKIP_UNITY_BUILD_INCLUSION)
    if(options OR definitions OR alone)
      continue()
    endif()
    set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
    cmake_path(ABSOLUTE_PATH source NORMALIZE)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${CMAKE_SOURCE_DIR}")
    string(APPEND lines "#include \"${source}\"\n")
    math(EXPR held "${held} + 1")
    if(held EQUAL ESPALIER_BUNDLE)
      espalier_write_bundle(${target} ${number} "${lines}")
      math(EXPR number "${number} + 1")
      set(lines "")
      set(held 0)
    endif()
  endforeach()
  if(held GREATER 0)
    espalier_write_bundle(${target} ${number} "${lines}")
  endif()
endfunction()

function(espalier_write_bundle target number lines)
  set(file "${CMAKE_CURRENT_BINARY_DIR}/${target}_${number}.cpp")
  file(CONFIGURE OUTPUT "${file}" CONTENT "${lines}" @ONLY)
  target_sources(${target} PRIVATE "${file}")
endfunction()

# espalier_library(NAME SOURCES ... [VECTOR_SOURCES ...] HEADERS ... DEPS folders...
# LINKS targets... [TORCH]): the static library espalier_NAME of the folder espalier/NAME. DEPS are
# folders of a smaller level. VECTOR_SOURCES are optimized in every build: without inlining, each of
# Highway's operations is a call. TORCH: compile with the shared precompiled libtorch header.
function(espalier_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;VECTOR_SOURCES;HEADERS;DEPS;LINKS" ${ARGN})
  add_library(espalier_${name} STATIC ${ARG_SOURCES} ${ARG_VECTOR_SOURCES} ${ARG_HEADERS})
  set_source_files_properties(${ARG_VECTOR_SOURCES} PROPERTIES
    SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "$<$<CONFIG:Debug>:-O1>")
  target_include_directories(espalier_${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_link_libraries(espalier_${name} PUBLIC espalier_flags)
  foreach(dependency IN LISTS ARG_DEPS)
    if(NOT LEVEL_${dependency} LESS LEVEL_${name})
      message(FATAL_ERROR "espalier/${name} (level ${LEVEL_${name}}) may not use "
        "espalier/${dependency} (level ${LEVEL_${dependency}})")
    endif()
    target_link_libraries(espalier_${name} PUBLIC espalier_${dependency})
  endforeach()
  target_link_libraries(espalier_${name} PRIVATE ${ARG_LINKS})
  if(ARG_TORCH)
    espalier_use_torch_header(espalier_${name})
  endif()
  espalier_bundle(espalier_${name})
endfunction()

# espalier_parallel_sources(files...): sources that include espalier/tensor/parallel.h. libtorch's
# parallel_for is an inline function that runs serially in a file compiled without OpenMP. Clang
# (presets fuzz and tidy) has its own OpenMP library: there these files stay serial.
function(espalier_parallel_sources)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set_source_files_properties(${ARGN} PROPERTIES
      SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS -fopenmp)
  endif()
endfunction()

# What every program is linked with under AddressSanitizer.
if(ESPALIER_SANITIZE MATCHES "address" AND NOT ESPALIER_FUZZ)
  add_library(espalier_sanitized_dlopen OBJECT "${CMAKE_CURRENT_LIST_DIR}/sanitized_dlopen.cpp")
  target_link_libraries(espalier_sanitized_dlopen PRIVATE espalier_flags)
  set(ESPALIER_PROGRAM_OBJECTS $<TARGET_OBJECTS:espalier_sanitized_dlopen>)
endif()

# espalier_test(NAME SOURCES ... LINKS ... [TORCH] [LABELS ...] [TIMEOUT seconds]): the GoogleTest
# program test_NAME of tests/NAME, linked with espalier_NAME and the test kit (tests/kit; its tensor
# half only with TORCH); ctest label "unit" unless LABELS says otherwise ("integration", "slow").
# Programs of folders below libtorch also get the label "threads": ThreadSanitizer runs them.
function(espalier_test name)
  cmake_parse_arguments(ARG "TORCH" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600) # ends what hangs; tools/run_tests says what has grown too long
  endif()
  add_executable(test_${name} ${ARG_SOURCES} ${ESPALIER_PROGRAM_OBJECTS})
  target_include_directories(test_${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(test_${name} PRIVATE
    ${ARG_LINKS} GTest::gmock GTest::gtest_main espalier_flags)
  if(TARGET espalier_${name})
    target_link_libraries(test_${name} PRIVATE espalier_${name})
  endif()
  target_link_libraries(test_${name} PRIVATE
    $<IF:$<BOOL:${ARG_TORCH}>,espalier_test_kit,espalier_test_kit_base>)
  if(ARG_TORCH)
    espalier_use_test_header(test_${name} espalier_test_kit)
  else()
    espalier_use_test_header(test_${name} espalier_test_kit_base)
  endif()
  espalier_bundle(test_${name})
  if(NOT ARG_TORCH AND "${LEVEL_${name}}" MATCHES "^[01]$")
    list(APPEND ARG_LABELS threads)
    add_dependencies(thread_tests test_${name})
  endif()
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "${ESPALIER_TEST_ENVIRONMENT}")
endfunction()

# espalier_fuzz(NAME SOURCES ... LINKS ...): the libFuzzer program fuzz_NAME (preset fuzz); its
# corpus is tests/fuzz/corpus/NAME, which tools/fuzz starts from.
function(espalier_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_include_directories(fuzz_${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINKS} espalier_flags)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()

# Compiles a target with the precompiled libtorch header, built once in espalier_tensor.
function(espalier_use_torch_header target)
  espalier_reuse_header(${target} espalier_tensor)
endfunction()

# Compiles test code: without optimization, which halves the time, while what is tested stays
# optimized, and without the dearest checks of UBSan (warnings.cmake).
function(espalier_test_code target)
  set_target_properties(${target} PROPERTIES ESPALIER_TEST_CODE ON)
  target_compile_options(${target} PRIVATE -O0)
endfunction()

# Compiles a test program so, and with a kit's precompiled header.
function(espalier_use_test_header target kit)
  espalier_reuse_header(${target} ${kit})
  espalier_test_code(${target})
endfunction()

function(espalier_reuse_header target owner)
  # Programs are compiled as the libraries are (-fPIC, not -fPIE), so that the header fits both.
  get_target_property(kind ${target} TYPE)
  if(kind STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
  target_compile_options(${target} PRIVATE -fpch-preprocess -Winvalid-pch)
endfunction()

# Shared environment of the tests. Threads that wait give their core away: with the default, a
# machine that does anything else besides runs some tests ten times as long.
set(ESPALIER_TEST_ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE")
# Prebuilt libraries leak at exit by design.
if(ESPALIER_SANITIZE MATCHES "address")
  list(APPEND ESPALIER_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_leaks=1:alloc_dealloc_mismatch=0:new_delete_type_mismatch=0"
    "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/lsan.supp:print_suppressions=0")
endif()
