// Quantization-aware training that is killed at random moments: with the program, real processes
// and SIGKILL. ESPALIER_KILLS says how often (3).
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "espalier/base/file.h"
#include "espalier/base/random.h"
#include "tests/kit/temporary_folder.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace espalier {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kTrain =
    "epochs: 2, schedule: {cosine: {lr: 0.01}}, "
    "optimizer: {adamw: {weight_decay: 0.01}}, "
    "ema: {decay: 0.9}, clip: {global_norm: 5}, checkpoint_every_steps: 2, log_every_steps: 0";
constexpr const char* kVerify =
    "verify: {latency_rounds: 0, samples: 8, max_drop: 100, min_integer_mac_share: 0, "
    "allow_slower: true, engines: [onnxruntime]}";

/// A training that gets quantizers, in both ways that recipes have.
struct Way {
  std::string name;
  std::string stages;
};

std::vector<Way> ways() {
  return {{"Stage", fmt::format("[{{train: {{{}}}}}, {{quantize: {{mode: qat, train: {{{}}}, "
                                "quantizers: {{weights: channel_wise_lsq_weight, activations: "
                                "lsq_act}}, {}}}}}]",
                                kTrain, kTrain, kVerify)},
          {"Strategy",
           fmt::format("[{{train: {{{}, strategies: [{{quantize: {{start_epoch: 1, quantizers: "
                       "{{activations: range_abs_max, window_size: 4}}, {}}}}}]}}}}]",
                       kTrain, kVerify)}};
}

std::string recipe_of(const Way& way) {
  const std::string split =
      "{dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 64, seed: 1, "
      "transform_ops: [{NormalizeImage: {mean: [0.5], std: [0.25], channel_num: 1}}, "
      "{ToCHWImage: }]}, sampler: {batch_size: 8, shuffle: true}, loader: {num_workers: 1}}";
  return fmt::format(
      "version: 1\nseed: 3\nmodel: {{zoo: FashionCNN, classes: 4}}\n"
      "data: {{train: {}, eval: {}, calibration: {{samples: 16}}}}\nstages: {}\n",
      split, split, way.stages);
}

class KilledTraining : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override { folder_.write("recipe.yaml", recipe_of(GetParam())); }

  [[nodiscard]] pid_t start(const std::string& run) const {
    std::vector<std::string> words{
        ESPALIER_PROGRAM, "train",     "-c", folder_.file("recipe.yaml"), "-o", folder_.file(run),
        "--resume",       "--threads", "1"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = folder_.file(run + ".txt");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       0600);
    ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t process = 0;
    EXPECT_EQ(::posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ),
              0);
    ::posix_spawn_file_actions_destroy(&actions);
    return process;
  }

  /// Exit code, or 128 + the signal that ended it.
  static int wait_for(pid_t process) {
    int status = 0;
    EXPECT_EQ(::waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void finish(const std::string& run) const {
    EXPECT_EQ(wait_for(start(run)), 0) << folder_.read(run + ".txt");
  }

  /// Bytes of all that a run ends with, by name.
  [[nodiscard]] std::map<std::string, std::string> results(const std::string& run) const {
    std::map<std::string, std::string> files;
    const fs::path path = folder_.file(run);
    for (const char* name : {"model.onnx", "float.onnx", "plan.yaml"}) {
      files[name] = base::read_file(path / name);
    }
    for (const auto& entry : fs::recursive_directory_iterator(path / "checkpoints")) {
      if (!entry.is_regular_file()) continue;
      files[fs::relative(entry.path(), path).string()] = base::read_file(entry.path());
    }
    return files;
  }

  void expect_same(const std::string& run,
                   const std::map<std::string, std::string>& expected) const {
    const auto actual = results(run);
    for (const auto& [name, bytes] : expected) {
      const auto place = actual.find(name);
      ASSERT_NE(place, actual.end()) << run << ": no " << name;
      EXPECT_EQ(place->second == bytes, true) << run << ": other bytes in " << name;
    }
    EXPECT_EQ(actual.size(), expected.size()) << run << ": files that an unbroken run has not";
  }

  kit::TemporaryFolder folder_;
};

std::int64_t wanted_kills() {
  const char* text = std::getenv("ESPALIER_KILLS");
  return text == nullptr ? 3 : std::atoll(text);
}

TEST_P(KilledTraining, EndsWithTheSameBytes) {
  const Clock::time_point begin = Clock::now();
  finish("unbroken");
  const auto whole = std::chrono::duration_cast<milliseconds>(Clock::now() - begin).count();
  const auto expected = results("unbroken");
  const auto seed = static_cast<std::uint64_t>(::getpid());
  base::Random random(seed);
  std::string run = "run-0";
  int runs = 1;
  for (std::int64_t kills = 0; kills < wanted_kills();) {
    const pid_t process = start(run);
    std::this_thread::sleep_for(
        milliseconds(random.below(static_cast<std::uint64_t>(std::max<std::int64_t>(whole, 1)))));
    ::kill(process, SIGKILL);
    const int code = wait_for(process);
    if (code == 128 + SIGKILL) {
      ++kills;
      continue;
    }
    ASSERT_EQ(code, 0) << folder_.read(run + ".txt");
    expect_same(run, expected);
    run = fmt::format("run-{}", runs++);
  }
  finish(run);
  expect_same(run, expected);
  RecordProperty("runs", runs);
}

TEST_P(KilledTraining, PassesOverDamagedCheckpoints) {
  finish("unbroken");
  const auto expected = results("unbroken");
  fs::copy(folder_.file("unbroken"), folder_.file("damaged"), fs::copy_options::recursive);
  const fs::path checkpoints = folder_.file("damaged/checkpoints");
  std::vector<fs::path> steps;
  fs::path newest;
  for (const char* stage : {"stage-1", "stage-0"}) {
    if (!newest.empty() || !fs::exists(checkpoints / stage)) continue;
    newest = checkpoints / stage;
  }
  fs::remove(newest.string() + ".espalier");
  for (const auto& entry : fs::directory_iterator(newest)) {
    if (entry.path().filename().string().starts_with("step-")) steps.push_back(entry.path());
  }
  std::sort(steps.begin(), steps.end());
  ASSERT_EQ(steps.size(), 2U);
  // A bit of the newest; the one before it is good.
  std::string bytes = base::read_file(steps[1]);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  base::write_file_atomic(steps[1], bytes);
  finish("damaged");
  EXPECT_THAT(folder_.read("damaged.txt"), testing::HasSubstr(steps[1].filename().string()));
  EXPECT_THAT(folder_.read("damaged.txt"), testing::HasSubstr("resumed at"));
  expect_same("damaged", expected);
  // Cut short.
  fs::remove(newest.string() + ".espalier");
  fs::resize_file(steps[1], bytes.size() / 3);
  finish("damaged");
  expect_same("damaged", expected);
}

INSTANTIATE_TEST_SUITE_P(, KilledTraining, testing::ValuesIn(ways()),
                         [](const auto& way) { return way.param.name; });

}  // namespace
}  // namespace espalier
