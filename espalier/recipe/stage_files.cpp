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
constexpr std::string_view kResult = ".espalier";
constexpr std::string_view kFacts = ".json";
constexpr std::string_view kPlan = ".yaml";

/// An entry of `checkpoints`: the result of a stage, its facts or plan, or the folder of its
/// checkpoints.
struct Entry {
  fs::path path;
  StagePart place = {};
  bool result = false;
};

/// Reads a number at the front of the text and takes it off.
template <typename Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

std::optional<Entry> entry_of(const fs::path& path) {
  const std::string file = path.filename().string();
  std::string_view name = file;
  Entry entry{.path = path};
  for (const std::string_view suffix : {kResult, kFacts, kPlan}) {
    if (!name.ends_with(suffix)) continue;
    name.remove_suffix(suffix.size());
    entry.result = true;
    break;
  }
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (!take_number(name, entry.place.stage)) return std::nullopt;
  if (name.starts_with('-')) {
    name.remove_prefix(1);
    if (!take_number(name, entry.place.part)) return std::nullopt;
  }
  if (!name.empty()) return std::nullopt;
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

fs::path stage_file(const fs::path& run, const StagePart& place) {
  return run / (stage_folder(place) + std::string(kResult));
}

std::string stage_facts(const StagePart& place) {
  return stage_folder(place) + std::string(kFacts);
}

std::string stage_plan(const StagePart& place) {
  return stage_folder(place) + std::string(kPlan);
}

std::string stage_folder(const StagePart& place) {
  std::string name = fmt::format("{}/{}{}", kFolder, kPrefix, place.stage);
  if (place.part > 0) name += fmt::format("-{}", place.part);
  return name;
}

void forget_from(const fs::path& run, const StagePart& place) {
  for (const Entry& entry : entries_of(run)) {
    const auto& [stage, part] = entry.place;
    const bool later = stage > place.stage || (stage == place.stage && part > place.part);
    const bool stands = stage == place.stage && (part == place.part || part == 0);
    if (later || (entry.result && stands)) remove(entry);
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
