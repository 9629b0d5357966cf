#pragma once

#include <string>
#include <vector>

namespace espalier::cli {

/// What a command left.
struct Finished {
  int code = 0;
  std::string out;
  std::string err;
};

/// Runs the program in this process: `words` without the program's name.
[[nodiscard]] Finished run(const std::vector<std::string>& words);

}  // namespace espalier::cli
