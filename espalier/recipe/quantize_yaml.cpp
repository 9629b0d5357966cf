#include "espalier/recipe/quantize_yaml.h"

#include <type_traits>

#include "espalier/base/check.h"

namespace espalier::recipe {
namespace {

using Entries = std::vector<std::pair<std::string, YamlValue>>;

YamlValue text_list(const std::vector<std::string>& texts) {
  std::vector<YamlValue> items;
  for (const std::string& text : texts) items.push_back(yaml_text(text));
  return yaml_list(std::move(items));
}

YamlValue to_yaml(const data::Parameter& parameter) {
  return std::visit(
      [](const auto& value) {
        using Type = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Type, bool>) return yaml_flag(value);
        if constexpr (std::is_same_v<Type, std::int64_t>) return yaml_integer(value);
        if constexpr (std::is_same_v<Type, double>) return yaml_number(value);
        if constexpr (std::is_same_v<Type, std::string>) return yaml_text(value);
        if constexpr (std::is_same_v<Type, std::vector<double>>) {
          std::vector<YamlValue> items;
          for (const double number : value) items.push_back(yaml_number(number));
          return yaml_list(std::move(items));
        }
      },
      parameter);
}

Entries to_entries(const data::Parameters& parameters) {
  Entries entries;
  for (const auto& [key, value] : parameters) entries.emplace_back(key, to_yaml(value));
  return entries;
}

/// A data block as docs/data.md describes it, of a folder of images.
YamlValue dataset_block(const data::DataConfig& config) {
  Entries dataset{{"name", yaml_text(config.dataset.name)}};
  for (auto& entry : to_entries(config.dataset.parameters)) dataset.push_back(std::move(entry));
  std::vector<YamlValue> transforms;
  for (const data::TransformConfig& transform : config.dataset.transforms) {
    transforms.push_back(yaml_map({{transform.name, yaml_map(to_entries(transform.parameters))}}));
  }
  dataset.emplace_back("transform_ops", yaml_list(std::move(transforms)));
  return yaml_map({{"dataset", yaml_map(std::move(dataset))}});
}

YamlValue calibration_map(const CalibrationConfig& config) {
  return yaml_map({{"samples", yaml_integer(static_cast<std::int64_t>(config.samples))},
                   {"seed", yaml_integer(static_cast<std::int64_t>(config.seed))},
                   {"micro_batch", yaml_integer(static_cast<std::int64_t>(config.micro_batch))}});
}

YamlValue verify_map(const VerifyConfig& config) {
  return yaml_map({{"max_drop", yaml_number(config.max_drop)},
                   {"min_agreement", yaml_number(config.min_agreement)},
                   {"min_simulation_agreement", yaml_number(config.min_simulation_agreement)},
                   {"min_value_sqnr_db", yaml_number(config.min_value_sqnr_db)},
                   {"min_integer_mac_share", yaml_number(config.min_integer_mac_share)},
                   {"allow_slower", yaml_flag(config.allow_slower)},
                   {"latency_rounds", yaml_integer(config.latency_rounds)},
                   {"samples", yaml_integer(config.samples)},
                   {"engines", text_list(config.engines)}});
}

YamlValue quantize_map(const QuantizeStage& stage) {
  base::invariant(!stage.qat, "the command line does not train");
  const quant::PlanOptions& plan = stage.plan;
  Entries activations{{"bits", yaml_integer(plan.activation_bits)},
                      {"method", yaml_text(plan.method)}};
  if (plan.symmetric) activations.emplace_back("symmetric", yaml_flag(*plan.symmetric));
  Entries weights{{"bits", yaml_integer(plan.weight_bits)},
                  {"method", yaml_text(plan.weight_method)}};
  if (plan.per_channel) weights.emplace_back("per_channel", yaml_flag(*plan.per_channel));
  return yaml_map({{"target", yaml_text(plan.target)},
                   {"activations", yaml_map(std::move(activations))},
                   {"weights", yaml_map(std::move(weights))},
                   {"percentile", yaml_number(plan.percentile)},
                   {"hist_percent", yaml_number(plan.hist_percent)},
                   {"reduce_range", yaml_flag(plan.reduce_range)},
                   {"skip", text_list(plan.skip)},
                   {"quantize_first", yaml_flag(plan.quantize_first)},
                   {"quantize_last", yaml_flag(plan.quantize_last)},
                   {"bias_correction", yaml_flag(stage.bias_correction)},
                   {"rounding", yaml_flag(stage.rounding)},
                   {"verify", verify_map(stage.verify)}});
}

}  // namespace

std::string print_quantization(const Recipe& job, const std::filesystem::path& data) {
  const bool folder = std::filesystem::is_directory(data);
  std::vector<YamlValue> stages;
  for (const Stage& stage : job.stages) {
    if (const auto* quantize = std::get_if<QuantizeStage>(&stage)) {
      stages.push_back(yaml_map({{"quantize", quantize_map(*quantize)}}));
    } else {
      const YamlValue opset = yaml_integer(std::get<ExportStage>(stage).opset);
      stages.push_back(yaml_map({{"export", yaml_map({{"opset", opset}})}}));
    }
  }
  const std::string model = std::get<ModelFile>(job.model.source).path.string();
  return print_yaml(yaml_map(
      {{"version", yaml_integer(1)},
       {"seed", yaml_integer(static_cast<std::int64_t>(job.seed))},
       {"model", yaml_map({{"onnx", yaml_text(model)}})},
       {"data",
        yaml_map({{"splits", folder ? dataset_block(*job.data.only) : yaml_text(data.string())},
                  {"calibration", calibration_map(job.calibration)}})},
       {"stages", yaml_list(std::move(stages))}}));
}

}  // namespace espalier::recipe
