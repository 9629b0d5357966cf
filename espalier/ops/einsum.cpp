#include "espalier/ops/einsum.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace espalier::ops {
namespace {

constexpr std::string_view kEllipsis = "...";

bool has_rank(const ir::Value* value, std::size_t rank) {
  return value != nullptr && (!value->type().shape || value->type().shape->size() == rank);
}

bool has_twice(const std::string& letters) {
  return std::set(letters.begin(), letters.end()).size() != letters.size();
}

bool is_letter(char sign) {
  return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z');
}

std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> terms{""};
  for (const char sign : text) {
    if (sign == ',') {
      terms.emplace_back();
    } else {
      terms.back() += sign;
    }
  }
  return terms;
}

/// Without "->": the axes of the ellipsis, then the letters that appear once, in their order.
std::string implicit_output(std::string_view inputs) {
  std::string output(inputs.find('.') == std::string_view::npos ? "" : kEllipsis);
  std::string once;
  for (const char sign : inputs) {
    if (is_letter(sign) && std::ranges::count(inputs, sign) == 1) once += sign;
  }
  std::ranges::sort(once);
  return output + once;
}

/// How many axes the ellipsis of a term stands for; nothing without one, or where the rank is not
/// known or too small.
std::optional<std::size_t> ellipsis_axes(const ir::Value* value, const std::string& term) {
  if (term.find(kEllipsis) == std::string::npos || value == nullptr || !value->type().shape) {
    return std::nullopt;
  }
  const std::size_t letters = term.size() - kEllipsis.size();
  const std::size_t rank = value->type().shape->size();
  return rank < letters ? std::nullopt : std::optional(rank - letters);
}

/// Letters that the text does not use.
std::string unused_letters(std::string_view text) {
  std::string unused;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    if (text.find(letter) == std::string_view::npos) unused += letter;
  }
  return unused;
}

/// Puts the last `count` of `letters` in the place of the ellipsis: its axes are aligned on the
/// right. Nothing when dots are left.
bool replace_ellipsis(std::string& term, std::string_view letters, std::size_t count) {
  const std::size_t place = term.find(kEllipsis);
  if (place != std::string::npos) {
    term.replace(place, kEllipsis.size(), letters.substr(letters.size() - count));
  }
  return term.find('.') == std::string::npos;
}

/// Gives every axis that an ellipsis stands for a letter of its own.
bool spell_out(EinsumEquation& equation, const ir::Node& node, std::string_view text) {
  if (text.find('.') == std::string_view::npos) return true;
  std::vector<std::size_t> counts;
  for (std::size_t port = 0; port < equation.inputs.size(); ++port) {
    const std::string& term = equation.inputs[port];
    const bool has_one = term.find('.') != std::string::npos;
    const auto axes = ellipsis_axes(node.input(port), term);
    if (has_one && !axes) return false;
    counts.push_back(axes.value_or(0));
  }
  const std::size_t most = *std::ranges::max_element(counts);
  const std::string unused = unused_letters(text);
  if (most > unused.size()) return false;
  const std::string letters = unused.substr(0, most);
  for (std::size_t port = 0; port < counts.size(); ++port) {
    if (!replace_ellipsis(equation.inputs[port], letters, counts[port])) return false;
  }
  const bool kept = most == 0 || equation.output.find('.') != std::string::npos;
  return kept && replace_ellipsis(equation.output, letters, most);
}

}  // namespace

std::optional<EinsumEquation> einsum_equation(const ir::Node& node) {
  std::string text = node.get_string("equation", "");
  std::erase(text, ' ');
  const auto arrow = text.find("->");
  const std::string inputs = text.substr(0, arrow);
  EinsumEquation equation{
      .inputs = split_terms(inputs),
      .output = arrow == std::string::npos ? implicit_output(inputs) : text.substr(arrow + 2)};
  if (inputs.empty() || equation.inputs.size() != node.inputs().size()) return std::nullopt;
  if (!spell_out(equation, node, text)) return std::nullopt;
  if (!has_rank(node.output(), equation.output.size()) || has_twice(equation.output)) {
    return std::nullopt;
  }
  for (std::size_t port = 0; port < equation.inputs.size(); ++port) {
    const std::string& letters = equation.inputs[port];
    const bool spelled = std::ranges::all_of(letters, is_letter);
    if (!spelled || !has_rank(node.input(port), letters.size()) || has_twice(letters)) {
      return std::nullopt;
    }
  }
  const bool known = std::ranges::all_of(equation.output, [&](char letter) {
    return std::ranges::any_of(equation.inputs, [&](const std::string& letters) {
      return letters.find(letter) != std::string::npos;
    });
  });
  return known ? std::optional(equation) : std::nullopt;
}

}  // namespace espalier::ops
