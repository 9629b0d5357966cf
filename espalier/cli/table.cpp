#include <array>

#include "espalier/cli/command.h"
#include "espalier/cli/commands.h"

namespace espalier::cli {

std::span<const Command> commands() {
  static constexpr std::array kCommands{
      Command{"quantize", "Quantize a trained ONNX model to a verified INT8 file", add_quantize},
      Command{"prune", "Cut channels from a model down to a budget, and prove it", add_prune},
      Command{"train", "Run a recipe: train, prune, quantize, export", add_train},
      Command{"evaluate", "Metrics of a model on labelled images, in any engine", add_evaluate},
      Command{"predict", "The most likely classes of images", add_predict},
      Command{"export", "A checkpoint or run folder as an ONNX file", add_export},
      Command{"verify", "Prove an INT8 file against its float model in the engines", add_verify},
      Command{"bench", "Time models side by side, interleaved", add_bench},
      Command{"inspect", "What a model is made of, and what it costs", add_inspect},
      Command{"sensitivity", "How much each group of channels may lose", add_sensitivity},
      Command{"report", "Write report.html of a run folder again", add_report},
  };
  return kCommands;
}

}  // namespace espalier::cli
