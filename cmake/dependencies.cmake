# Every dependency as an imported target. tools/setup puts what is not a Debian package into .deps
# (docs/dependencies.md lists purpose, version, origin and licence of each).
set(DEPS "${CMAKE_SOURCE_DIR}/.deps" CACHE PATH "Folder made by tools/setup")
if(NOT EXISTS "${DEPS}/torch/lib/libtorch_cpu.so")
  message(FATAL_ERROR "'${DEPS}' has no libtorch: run tools/setup (make does it) first")
endif()
file(REAL_PATH "${DEPS}" DEPS_REAL)

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Protobuf REQUIRED)
find_package(GTest REQUIRED)

# Imports a prebuilt library:
# espalier_import(NAME LIBRARY file INCLUDES dirs... LINKS targets... DEFINITIONS ...)
function(espalier_import name)
  cmake_parse_arguments(ARG "" "LIBRARY" "INCLUDES;LINKS;DEFINITIONS" ${ARGN})
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${name} SYSTEM INTERFACE ${ARG_INCLUDES})
  target_link_libraries(${name} INTERFACE ${ARG_LIBRARY} ${ARG_LINKS})
  target_compile_definitions(${name} INTERFACE ${ARG_DEFINITIONS})
endfunction()

# Debian's OpenCV modules one by one: its CMake package comes only with the whole of OpenCV.
espalier_import(espalier_opencv
  LIBRARY opencv_core INCLUDES /usr/include/opencv4 LINKS opencv_imgproc opencv_imgcodecs)

# libtorch without its CMake package (which demands CUDA) and without the old protobuf and fmt
# headers beside it: torch-include holds links to its own four header folders only. In front of them
# cmake/torch, which keeps what no operator needs out of the operators' headers.
espalier_import(espalier_libtorch
  LIBRARY "${DEPS_REAL}/torch/lib/libtorch_cpu.so"
  INCLUDES "${CMAKE_SOURCE_DIR}/cmake/torch" "${DEPS_REAL}/torch-include"
    "${DEPS_REAL}/torch-include/torch/csrc/api/include"
  LINKS "${DEPS_REAL}/torch/lib/libc10.so"
  DEFINITIONS AT_PER_OPERATOR_HEADERS)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # At run time the path below finds the libgomp beside libtorch, so there is one pool of threads.
  target_link_libraries(espalier_libtorch INTERFACE gomp)
endif()
target_link_options(espalier_libtorch INTERFACE
  "-Wl,--no-as-needed" "-Wl,-rpath,${DEPS_REAL}/torch/lib" "-Wl,-rpath,${DEPS_REAL}/cuda/lib"
  "-Wl,-rpath-link,${DEPS_REAL}/cuda/lib" "-Wl,-rpath-link,${DEPS_REAL}/torch/lib")

espalier_import(espalier_libonnx
  LIBRARY "${DEPS_REAL}/onnx/lib/libonnx.a"
  INCLUDES "${DEPS_REAL}/onnx/include"
  LINKS "${DEPS_REAL}/onnx/lib/libonnx_proto.a" protobuf::libprotobuf
  DEFINITIONS ONNX_NAMESPACE=onnx)

espalier_import(espalier_onnxruntime_api
  LIBRARY "${DEPS_REAL}/onnxruntime/lib/libonnxruntime.so.1"
  INCLUDES "${DEPS_REAL}/onnxruntime/include")
target_link_options(espalier_onnxruntime_api INTERFACE "-Wl,-rpath,${DEPS_REAL}/onnxruntime/lib")

file(GLOB OPENVINO_LIBRARY "${DEPS_REAL}/openvino/libs/libopenvino.so.*")
espalier_import(espalier_openvino_api
  LIBRARY "${OPENVINO_LIBRARY}" INCLUDES "${DEPS_REAL}/openvino/include")
target_link_options(espalier_openvino_api INTERFACE "-Wl,-rpath,${DEPS_REAL}/openvino/libs")
