#pragma once

#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// One quantized operator cut out of a QDQ file: DequantizeLinear -> operator [-> activation] ->
/// QuantizeLinear, codes in, codes out.
struct OperatorModel {
  std::string name = {};                 ///< node of the main operator
  std::string op = {};                   ///< its operator
  std::vector<std::string> inputs = {};  ///< values of the file that hold the input codes
  std::string output = {};               ///< value of the file that holds the output codes
  ir::Graph graph = {};
};

/// Cuts a QDQ graph into its quantized operators, in graph order: everything between one
/// QuantizeLinear and the DequantizeLinear nodes before it. Left out are quantizers of graph inputs
/// and parts that read a float value which nothing quantizes.
[[nodiscard]] std::vector<OperatorModel> cut_operators(const ir::Graph& quantized);

}  // namespace espalier::deploy
