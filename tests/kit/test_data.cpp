#include "tests/kit/test_data.h"

namespace espalier::kit {

namespace {

const std::filesystem::path& sources() {
  static const std::filesystem::path folder = ESPALIER_SOURCES;
  return folder;
}

}  // namespace

std::filesystem::path test_data() {
  return sources() / "tests" / "data";
}

std::filesystem::path fuzz_corpus(const std::filesystem::path& target) {
  return sources() / "tests" / "fuzz" / "corpus" / target;
}

std::filesystem::path documentation_page(const std::filesystem::path& name) {
  return sources() / "docs" / name;
}

}  // namespace espalier::kit
