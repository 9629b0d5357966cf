#pragma once

#include <filesystem>

namespace espalier::kit {

/// The folder tests/data of the sources. Only one object knows where they lie: all others are the
/// same bytes in every clone, and the compiler cache serves them.
std::filesystem::path test_data();

/// The folder tests/fuzz/corpus/TARGET: inputs that a fuzz target starts from.
std::filesystem::path fuzz_corpus(const std::filesystem::path& target);

/// A file of docs/, by its name.
std::filesystem::path documentation_page(const std::filesystem::path& name);

}  // namespace espalier::kit
