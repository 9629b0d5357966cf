#include "espalier/recipe/stage_files.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/train/checkpoint_folder.h"

namespace espalier::recipe {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFolder = "checkpoints";
constexpr std::string_view kPrefix = "stage-";
constexpr std::string_view kSuffix = ".espalier";

/// An entry of `checkpoints`: the result of a stage, or the folder of its checkpoints.
struct Entry {
  fs::path path;
  std::size_t stage = 0;
  bool result = false;
};

std::optional<Entry> entry_of(const fs::path& path) {
  std::string name = path.filename().string();
  const bool result = name.ends_with(kSuffix);
  if (result) name.resize(name.size() - kSuffix.size());
  if (!name.starts_with(kPrefix)) return std::nullopt;
  Entry entry{.path = path, .result = result};
  const char* end_of_name = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), end_of_name, entry.stage);
  if (error != std::errc() || end != end_of_name) return std::nullopt;
  return entry;
}

std::vector<Entry> entries_of(const fs::path& run) {
  std::vector<Entry> entries;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(run / kFolder, error)) {
    if (auto entry = entry_of(file.path())) entries.push_back(std::move(*entry));
  }
  return entries;
}

/// Checkpoints of a stage under way; the one before its first step is no loss.
bool has_steps(const fs::path& folder) {
  const train::CheckpointFolder checkpoints(folder, 1);
  if (fs::exists(checkpoints.best_path())) return true;
  const std::vector<fs::path> files = checkpoints.files();
  return !files.empty() && files.back().filename() != "step-00000000.espalier";
}

void remove(const Entry& entry) {
  std::error_code error;
  fs::remove_all(entry.path, error);
  if (!error) return;
  throw base::UserError(
      {.what = fmt::format("cannot remove '{}'", entry.path.string()), .got = error.message()});
}

}  // namespace

fs::path stage_file(const fs::path& run, std::size_t index) {
  return run / kFolder / fmt::format("{}{}{}", kPrefix, index, kSuffix);
}

std::string stage_folder(std::size_t index) {
  return fmt::format("{}/{}{}", kFolder, kPrefix, index);
}

void forget_from(const fs::path& run, std::size_t index) {
  for (const Entry& entry : entries_of(run)) {
    if (entry.result ? entry.stage >= index : entry.stage > index) remove(entry);
  }
}

void forget_all(const fs::path& run) {
  for (const Entry& entry : entries_of(run)) remove(entry);
}

bool holds_training(const fs::path& run) {
  for (const Entry& entry : entries_of(run)) {
    if (entry.result || has_steps(entry.path)) return true;
  }
  return false;
}

}  // namespace espalier::recipe
