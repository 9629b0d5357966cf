#include "espalier/recipe/run_folder.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/train/checkpoint_folder.h"

namespace espalier::recipe {
namespace {

[[noreturn]] void refuse_folder(const std::filesystem::path& path, std::string expected) {
  throw base::UserError({.what = fmt::format("'{}' is no run folder with a model", path.string()),
                         .expected = std::move(expected)});
}

}  // namespace

RunFolder::RunFolder(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error || !std::filesystem::is_directory(path_)) {
    throw base::UserError(
        {.what = fmt::format("cannot create the output folder '{}'", path_.string()),
         .got = error.message(),
         .hint = "choose another one with -o"});
  }
  base::set_log_file((path_ / "log.txt").string());
}

RunFolder::~RunFolder() {
  base::set_log_file("");
}

void RunFolder::write(std::string_view name, std::string_view content) const {
  base::write_file_atomic(path_ / name, content);
}

bool RunFolder::has(std::string_view name) const {
  return std::filesystem::exists(path_ / name);
}

std::string RunFolder::read(std::string_view name) const {
  return base::read_file(path_ / name);
}

std::filesystem::path shipped_model(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  if (!std::filesystem::exists(path / "model.onnx")) refuse_folder(path, "model.onnx in it");
  return path / "model.onnx";
}

std::filesystem::path trained_model(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  constexpr int kMostStages = 1000;
  const std::filesystem::path checkpoints = path / "checkpoints";
  for (int stage = kMostStages; stage >= 0; --stage) {
    const std::filesystem::path done = checkpoints / fmt::format("stage-{}.espalier", stage);
    if (std::filesystem::exists(done)) return done;
    const train::CheckpointFolder under_way(checkpoints / fmt::format("stage-{}", stage), 1);
    if (std::filesystem::exists(under_way.best_path())) return under_way.best_path();
    if (const auto files = under_way.files(); !files.empty()) return files.back();
  }
  if (!std::filesystem::exists(path / "model.onnx")) {
    refuse_folder(path, "checkpoints or model.onnx in it");
  }
  return path / "model.onnx";
}

}  // namespace espalier::recipe
