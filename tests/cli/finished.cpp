#include "tests/cli/finished.h"

#include <gtest/gtest.h>

#include "espalier/cli/command.h"

namespace espalier::cli {

Finished run(const std::vector<std::string>& words) {
  std::vector<const char*> arguments{"espalier"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Finished result;
  result.code = run_program(static_cast<int>(arguments.size()), arguments.data());
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  return result;
}

}  // namespace espalier::cli
