// Feeds bytes to the readers of YAML: recipes, data files, plans. The first byte chooses which;
// what is accepted must be printed and read back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "espalier/base/error.h"
#include "espalier/data/transform_chain.h"
#include "espalier/recipe/plan_yaml.h"
#include "espalier/recipe/recipe.h"

namespace {

using namespace espalier;

/// Relative paths of a document lead nowhere from here.
constexpr const char* kNowhere = "/nonexistent/folder";

/// True when the document names a file that reading it would open.
bool names_files(const recipe::YamlValue& document) {
  const recipe::YamlValue* data = document.find("data");
  if (data == nullptr) return false;
  for (const auto& [split, value] : data->entries) {
    if (value.kind == recipe::YamlValue::Kind::Scalar) return true;
  }
  return false;
}

void check_printing(const recipe::YamlValue& document) {
  const std::string once = recipe::print_yaml(document);
  if (recipe::print_yaml(recipe::parse_yaml(once, "printed.yaml")) != once) std::abort();
}

void read_recipe(const std::string& text) {
  recipe::YamlValue document = recipe::parse_yaml(text, "recipe.yaml");
  check_printing(document);
  if (names_files(document)) return;
  const recipe::Recipe job = recipe::parse_recipe(document, kNowhere);
  if (job.stages.empty() || job.metrics.empty()) std::abort();
}

void read_data(const std::string& text) {
  const recipe::DataSplits splits =
      recipe::parse_data(recipe::parse_yaml(text, "data.yaml"), kNowhere);
  for (const auto* split : {&splits.only, &splits.train, &splits.eval, &splits.test}) {
    if (*split) static_cast<void>(data::TransformChain((*split)->dataset.transforms));
  }
}

void read_plan(const std::string& text) {
  const quant::QuantPlan plan = recipe::parse_plan(text, "plan.yaml");
  const std::string once = recipe::print_plan(plan);
  if (recipe::print_plan(recipe::parse_plan(once, "printed.yaml")) != once) std::abort();
}

/// Everything up to the first line's end is an assignment for the rest.
void override_value(const std::string& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return;
  recipe::YamlValue document = recipe::parse_yaml(text.substr(end + 1), "recipe.yaml");
  recipe::override_yaml(document, text.substr(0, end));
  check_printing(document);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    switch (data[0] % 4) {
      case 0:
        read_recipe(text);
        break;
      case 1:
        read_data(text);
        break;
      case 2:
        read_plan(text);
        break;
      default:
        override_value(text);
    }
  } catch (const base::UserError&) {
  } catch (const base::UnsupportedError&) {
    // Bad documents are refused with a message; anything else ends the program.
  }
  return 0;
}
