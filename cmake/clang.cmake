# The clang of the presets tidy and fuzz: the one that tools/setup installs (clang 14, the default
# of Debian 12, cannot compile this code).
find_program(CLANG_CXX NAMES clang++-16 clang++-19 clang++-18 clang++ REQUIRED)
string(REPLACE "clang++" "clang" CLANG_C "${CLANG_CXX}")
set(CMAKE_CXX_COMPILER "${CLANG_CXX}")
set(CMAKE_C_COMPILER "${CLANG_C}")
