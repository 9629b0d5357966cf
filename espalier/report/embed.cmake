# Writes OUTPUT: the functions of page_assets.h, which return the content of STYLE, SCRIPT and
# LIBRARY. Run by the build: cmake -DOUTPUT=.. -DSTYLE=.. -DSCRIPT=.. -DLIBRARY=.. -P embed.cmake
function(embed_function name file)
  file(READ "${file}" content HEX)
  string(LENGTH "${content}" length)
  set(pieces "")
  # A compiler must accept 65 536 characters in a literal: each piece stays far below.
  set(place 0)
  while(place LESS length)
    string(SUBSTRING "${content}" ${place} 16000 piece)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" piece "${piece}")
    string(APPEND pieces "  text += \"${piece}\"sv;\n")
    math(EXPR place "${place} + 16000")
  endwhile()
  math(EXPR bytes "${length} / 2")
  file(APPEND "${OUTPUT}.new"
    "std::string ${name}() {\n  std::string text;\n  text.reserve(${bytes});\n"
    "${pieces}  return text;\n}\n\n")
endfunction()

file(WRITE "${OUTPUT}.new"
  "#include \"espalier/report/page_assets.h\"\n\n#include <string_view>\n\n"
  "namespace espalier::report {\n\nusing namespace std::string_view_literals;\n\n")
embed_function(page_style "${STYLE}")
embed_function(page_script "${SCRIPT}")
embed_function(chart_library "${LIBRARY}")
file(APPEND "${OUTPUT}.new" "}  // namespace espalier::report\n")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
