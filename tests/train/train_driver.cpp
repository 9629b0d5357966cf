// Trains the synthetic task in a process of its own, for tests that kill it:
//   train_driver FOLDER PAUSE_MILLISECONDS KIND     trains, resuming what the folder holds; KIND is
//                                                   'plain' or 'elaborate' (AdamW, moving average,
//                                                   freezing, a graph that changes on the way)
//   train_driver --write-sample FILE                a checkpoint of the present format version
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "espalier/base/error.h"
#include "espalier/base/interrupt.h"
#include "espalier/base/log.h"
#include "espalier/train/checkpoint_folder.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

int run(const std::vector<std::string>& arguments) {
  base::set_log_level(base::LogLevel::Warning);
  const bool sample = arguments.size() == 2 && arguments[0] == "--write-sample";
  if (!sample && arguments.size() != 3) {
    std::fputs("usage: train_driver FOLDER PAUSE_MILLISECONDS KIND | --write-sample FILE\n",
               stderr);
    return 2;
  }
  SyntheticRun task;
  GainStrategy gain({.start = 1, .end = 2});
  if (!sample && arguments[2] == "elaborate") {
    task.options = elaborate_options();
    task.strategies = {&gain};
  }
  const std::string folder = sample ? arguments[1] + ".folder" : arguments[0];
  task.options.checkpoints.folder = folder;
  task.options.checkpoints.every_steps = 2;
  task.options.checkpoints.resume = true;
  if (!sample) task.data.pause_milliseconds = std::atoi(arguments[1].c_str());
  base::watch_interrupts();
  task();
  if (sample) {
    std::filesystem::rename(CheckpointFolder(folder, 1).files().back(), arguments[1]);
    std::filesystem::remove_all(folder);
  }
  return 0;
}

}  // namespace
}  // namespace espalier::train

int main(int count, char** arguments) {
  try {
    return espalier::train::run({arguments + 1, arguments + count});
  } catch (const espalier::base::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
