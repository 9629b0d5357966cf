#include "espalier/recipe/run_folder.h"

#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <vector>

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

/// What a killed process left of files and folders that it was writing.
void remove_leftovers(const std::filesystem::path& folder, const std::string& prefix) {
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const std::size_t place = name.rfind(".partial-");
    if (place == std::string::npos || !name.starts_with(prefix)) continue;
    const std::string process = name.substr(place + std::string_view(".partial-").size());
    if (process.empty() || process.find_first_not_of("0123456789") != std::string::npos) continue;
    if (prefix.empty() || place == prefix.size()) leftovers.push_back(entry.path());
  }
  for (const std::filesystem::path& path : leftovers) std::filesystem::remove_all(path, error);
}

/// Results of stages, and what lies beside the checkpoints of one.
void remove_leftovers_of_stages(const std::filesystem::path& checkpoints) {
  remove_leftovers(checkpoints, "");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints, error)) {
    if (entry.is_directory(error)) remove_leftovers(entry.path(), "");
  }
}

}  // namespace

class RunFolder::Lock {
 public:
  explicit Lock(const std::filesystem::path& folder)
      : descriptor_(::open((folder / "log.txt").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) fail(folder, errno);
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    const int problem = errno;
    ::close(descriptor_);
    // File systems without locks leave it to the user.
    if (problem == EWOULDBLOCK) fail(folder, problem);
    descriptor_ = -1;
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  [[noreturn]] static void fail(const std::filesystem::path& folder, int problem) {
    if (problem == EWOULDBLOCK) {
      throw base::UserError(
          {.what = fmt::format("another run is at work in the folder '{}'", folder.string()),
           .where = "log.txt is locked",
           .hint = "wait for its end, or choose another folder with -o"});
    }
    throw base::UserError(
        {.what = fmt::format("cannot write the log file '{}'", (folder / "log.txt").string()),
         .got = std::generic_category().message(problem),
         .hint = "choose a writable folder with -o"});
  }

  int descriptor_;
};

RunFolder::RunFolder(std::filesystem::path path)
    : path_(std::move(path)), exceptions_(std::uncaught_exceptions()) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error || !std::filesystem::is_directory(path_)) {
    throw base::UserError(
        {.what = fmt::format("cannot create the output folder '{}'", path_.string()),
         .got = error.message(),
         .hint = "choose another one with -o"});
  }
  fresh_ = std::filesystem::is_empty(path_, error);
  lock_ = std::make_unique<Lock>(path_);
  const std::filesystem::path whole = std::filesystem::absolute(path_).lexically_normal();
  const bool slash = whole.filename().empty();
  const std::filesystem::path plain = slash ? whole.parent_path() : whole;
  remove_leftovers(path_, "");
  remove_leftovers_of_stages(path_ / "checkpoints");
  remove_leftovers(plain.parent_path(), plain.filename().string());
  base::set_log_file((path_ / "log.txt").string());
}

RunFolder::~RunFolder() {
  base::set_log_file("");
  const bool failed = std::uncaught_exceptions() > exceptions_;
  if (failed && fresh_ && !holds_work()) remove_beginnings();
}

bool RunFolder::holds_work() const {
  if (has("model.onnx")) return true;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(path_ / "checkpoints", error)) {
    if (entry.is_regular_file(error)) return true;
  }
  return false;
}

void RunFolder::remove_beginnings() const {
  std::error_code error;
  std::vector<std::filesystem::path> beginnings;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (entry.path().filename() != "log.txt") beginnings.push_back(entry.path());
  }
  for (const std::filesystem::path& path : beginnings) std::filesystem::remove_all(path, error);
}

void RunFolder::write(std::string_view name, std::string_view content) const {
  base::write_file_atomic(path_ / name, content);
}

void RunFolder::write_all(const std::map<std::string, std::string>& files) const {
  base::AtomicFolder folder(path_);
  for (const auto& [name, content] : files) {
    base::write_file_atomic(folder.path() / name, content);
  }
  folder.commit();
}

void RunFolder::forget_epoch_files(const std::set<std::string>& kept) const {
  std::error_code error;
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    const bool ours = (name.starts_with("epoch-") && name.ends_with(".onnx")) ||
                      (name.starts_with("prune_plan-epoch-") && name.ends_with(".yaml"));
    if (ours && !kept.contains(name)) stale.push_back(entry.path());
  }
  for (const std::filesystem::path& path : stale) {
    base::log_info("removed, of another recipe: {}", path.string());
    std::filesystem::remove(path, error);
  }
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
  if (std::filesystem::exists(path / "float.onnx")) return path / "float.onnx";
  if (!std::filesystem::exists(path / "model.onnx")) {
    refuse_folder(path, "checkpoints or model.onnx in it");
  }
  return path / "model.onnx";
}

}  // namespace espalier::recipe
