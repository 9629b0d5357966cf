#include "espalier/recipe/job_yaml.h"

#include <array>
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

YamlValue name_text(std::string_view name) {
  return yaml_text(std::string(name));
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
  return yaml_map(
      {{"max_drop", yaml_number(config.max_drop)},
       {"min_agreement", yaml_number(config.min_agreement)},
       {"min_simulation_agreement", yaml_number(config.min_simulation_agreement)},
       {"min_value_sqnr_db", yaml_number(config.min_value_sqnr_db)},
       {"outputs", yaml_text(config.outputs == deploy::OutputMeaning::Values ? "values" : "auto")},
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

/// A number that is the same share when it is read back as what remains.
YamlValue budget_of(const prune::BudgetOptions& budget) {
  return yaml_number(budget.kind == prune::BudgetKind::Filters ? 1 - budget.remaining
                                                               : budget.remaining);
}

/// The key of a budget, in the order of prune::BudgetKind.
std::string budget_key(prune::BudgetKind kind) {
  static constexpr std::array kKeys{"pruned_ratio", "target_macs", "target_params", "target_bytes"};
  return kKeys.at(static_cast<std::size_t>(kind));
}

YamlValue fine_tune_map(const TrainStage& stage) {
  const auto& cosine = std::get<train::CosineSchedule>(stage.options.schedule.shape);
  return yaml_map(
      {{"epochs", yaml_integer(stage.options.epochs)},
       {"schedule", yaml_map({{"cosine", yaml_map({{"lr", yaml_number(cosine.lr)}})}})}});
}

/// How much goes: one budget, or a plan.
void add_amount(const PruneStage& stage, Entries& entries) {
  if (!stage.plan.empty()) {
    entries.emplace_back("plan", yaml_text(stage.plan.string()));
  } else if (stage.max_loss) {
    entries.emplace_back("max_loss", yaml_number(*stage.max_loss));
  } else {
    entries.emplace_back(budget_key(stage.budget.kind), budget_of(stage.budget));
  }
  if (!stage.sensitivities.empty()) {
    entries.emplace_back("sensitivities", yaml_text(stage.sensitivities.string()));
  }
}

YamlValue prune_map(const PruneStage& stage) {
  const prune::Limits& limits = stage.budget.limits;
  Entries entries;
  add_amount(stage, entries);
  const Entries choice{{"criterion", yaml_text(stage.scores.criterion)},
                       {"reduction", name_text(to_string(stage.scores.reduction))},
                       {"scaling", name_text(to_string(stage.scores.scaling))},
                       {"strategy", name_text(to_string(stage.budget.strategy))},
                       {"align", yaml_integer(limits.align)},
                       {"min_width", yaml_integer(limits.min_width)},
                       {"max_removed", yaml_number(limits.max_removed)},
                       {"skip", text_list(limits.skip)},
                       {"keep_first", yaml_flag(!limits.cut_first)},
                       {"keep_last", yaml_flag(!limits.cut_last)},
                       {"iterations", yaml_integer(stage.iterations)},
                       {"mask", yaml_flag(stage.mask)}};
  entries.insert(entries.end(), choice.begin(), choice.end());
  if (stage.reestimate_norms) {
    entries.emplace_back("reestimate_bn", yaml_flag(*stage.reestimate_norms));
  }
  if (stage.reconstruct) entries.emplace_back("reconstruct", yaml_flag(*stage.reconstruct));
  if (stage.fine_tune) entries.emplace_back("fine_tune", fine_tune_map(*stage.fine_tune));
  entries.emplace_back("check", yaml_flag(stage.check));
  if (stage.image_size) entries.emplace_back("image_size", yaml_integer(*stage.image_size));
  entries.emplace_back("verify",
                       yaml_map({{"latency_rounds", yaml_integer(stage.verify.latency_rounds)},
                                 {"samples", yaml_integer(stage.verify.samples)},
                                 {"engines", text_list(stage.verify.engines)}}));
  return yaml_map(std::move(entries));
}

YamlValue stage_map(const Stage& stage) {
  if (const auto* quantize = std::get_if<QuantizeStage>(&stage)) {
    return yaml_map({{"quantize", quantize_map(*quantize)}});
  }
  if (const auto* prune = std::get_if<PruneStage>(&stage)) {
    return yaml_map({{"prune", prune_map(*prune)}});
  }
  const YamlValue opset = yaml_integer(std::get<ExportStage>(stage).opset);
  return yaml_map({{"export", yaml_map({{"opset", opset}})}});
}

YamlValue data_map(const Recipe& job, const std::filesystem::path& data) {
  Entries entries;
  if (!data.empty()) {
    const bool folder = std::filesystem::is_directory(data);
    entries.emplace_back("splits",
                         folder ? dataset_block(*job.data.only) : yaml_text(data.string()));
  }
  entries.emplace_back("calibration", calibration_map(job.calibration));
  return yaml_map(std::move(entries));
}

}  // namespace

std::string print_job(const Recipe& job, const std::filesystem::path& data) {
  std::vector<YamlValue> stages;
  for (const Stage& stage : job.stages) stages.push_back(stage_map(stage));
  const std::string model = std::get<ModelFile>(job.model.source).path.string();
  return print_yaml(yaml_map({{"version", yaml_integer(1)},
                              {"seed", yaml_integer(static_cast<std::int64_t>(job.seed))},
                              {"model", yaml_map({{"onnx", yaml_text(model)}})},
                              {"data", data_map(job, data)},
                              {"stages", yaml_list(std::move(stages))}}));
}

}  // namespace espalier::recipe
