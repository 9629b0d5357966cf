#include "espalier/train/checkpoint_folder.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"

namespace espalier::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".espalier";
constexpr std::string_view kBest = "best.espalier";
constexpr std::string_view kPartial = ".partial-";

/// The step of a file name, or nothing when it is not one of ours.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.size() <= kPrefix.size() + kSuffix.size()) return std::nullopt;
  const char* end = name.data() + name.size() - kSuffix.size();
  std::int64_t step = 0;
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || stop != end || step < 0) return std::nullopt;
  return step;
}

/// A file that a killed process left while writing.
bool is_leftover(const std::string& name) {
  const std::size_t place = name.find(kPartial);
  if (place == std::string::npos) return false;
  const std::string stem = name.substr(0, place);
  return stem == kBest || step_of(stem).has_value();
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path folder, int keep)
    : folder_(std::move(folder)), keep_(keep) {
  base::check(keep >= 1, "checkpoints to keep: got {}, expected 1 or more", keep);
}

fs::path CheckpointFolder::save(const Checkpoint& checkpoint) const {
  base::invariant(checkpoint.state.has_value(), "a checkpoint of a run without its state");
  const fs::path path =
      folder_ / fmt::format("{}{:08}{}", kPrefix, checkpoint.state->step, kSuffix);
  write_checkpoint(path, checkpoint);
  const std::vector<fs::path> all = files();
  const auto own = std::ranges::find(all, path) - all.begin();
  for (std::ptrdiff_t index = 0; index < std::ssize(all); ++index) {
    std::error_code ignored;
    const fs::path& other = all[static_cast<std::size_t>(index)];
    if (index > own || index <= own - keep_) fs::remove(other, ignored);
  }
  return path;
}

void CheckpointFolder::save_best(const Checkpoint& checkpoint) const {
  write_checkpoint(best_path(), checkpoint);
}

std::optional<Checkpoint> CheckpointFolder::latest() const {
  std::vector<fs::path> all = files();
  if (all.empty()) {
    if (fs::exists(best_path())) {
      base::log_warning_once(
          fmt::format("no checkpoint of a step is left beside '{}': the training starts anew",
                      best_path().string()));
    }
    return std::nullopt;
  }
  std::ranges::reverse(all);
  std::string last_error;
  for (const fs::path& path : all) {
    try {
      Checkpoint checkpoint = read_checkpoint(path);
      base::check(checkpoint.state.has_value(), "'{}' holds a model without a training state",
                  path.string());
      return checkpoint;
    } catch (const base::UserError& error) {
      last_error = error.what();
      base::log_warning_once(fmt::format("passing over a checkpoint: {}", error.what()));
    }
  }
  throw base::UserError(base::Problem{
      .what = fmt::format("cannot resume from '{}'", folder_.string()),
      .got = fmt::format("no readable checkpoint among {}: {}", all.size(), last_error),
      .hint = "remove the folder to start anew"});
}

std::vector<fs::path> CheckpointFolder::files() const {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::optional<std::int64_t> step = step_of(entry.path().filename().string());
    if (step) found.emplace_back(*step, entry.path());
  }
  std::ranges::sort(found);
  std::vector<fs::path> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

void CheckpointFolder::remove_leftovers() const {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (is_leftover(entry.path().filename().string())) leftovers.push_back(entry.path());
  }
  for (const fs::path& path : leftovers) fs::remove(path, error);
}

fs::path CheckpointFolder::best_path() const {
  return folder_ / kBest;
}

}  // namespace espalier::train
