#include "espalier/ops/einsum.h"

#include <algorithm>
#include <set>

namespace espalier::ops {
namespace {

bool has_rank(const ir::Value* value, std::size_t rank) {
  return value != nullptr && (!value->type().shape || value->type().shape->size() == rank);
}

bool has_twice(const std::string& letters) {
  return std::set(letters.begin(), letters.end()).size() != letters.size();
}

}  // namespace

std::optional<EinsumEquation> einsum_equation(const ir::Node& node) {
  std::string text = node.get_string("equation", "");
  std::erase(text, ' ');
  const auto arrow = text.find("->");
  if (arrow == std::string::npos || text.find('.') != std::string::npos) return std::nullopt;
  EinsumEquation equation{.inputs = {""}, .output = text.substr(arrow + 2)};
  for (const char letter : text.substr(0, arrow)) {
    if (letter == ',') {
      equation.inputs.emplace_back();
    } else {
      equation.inputs.back() += letter;
    }
  }
  const bool fits = equation.inputs.size() == node.inputs().size() &&
                    has_rank(node.output(), equation.output.size());
  if (!fits || has_twice(equation.output)) return std::nullopt;
  for (std::size_t port = 0; port < equation.inputs.size(); ++port) {
    const std::string& letters = equation.inputs[port];
    if (!has_rank(node.input(port), letters.size()) || has_twice(letters)) return std::nullopt;
  }
  const bool known = std::ranges::all_of(equation.output, [&](char letter) {
    return std::ranges::any_of(equation.inputs, [&](const std::string& letters) {
      return letters.find(letter) != std::string::npos;
    });
  });
  return known ? std::optional(equation) : std::nullopt;
}

}  // namespace espalier::ops
