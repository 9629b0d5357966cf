#include "espalier/recipe/prediction.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/interrupt.h"
#include "espalier/base/log.h"
#include "espalier/data/loader.h"
#include "espalier/data/subset.h"
#include "espalier/recipe/evaluation.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/train/class_scores.h"

namespace espalier::recipe {
namespace {

/// Image files as a data set without labels.
class ImageFiles final : public data::Dataset {
 public:
  explicit ImageFiles(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

  [[nodiscard]] std::size_t size() const override { return files_.size(); }
  [[nodiscard]] data::Sample read(std::size_t index) const override {
    data::Sample sample;
    sample.encoded = base::read_file(files_[index]);
    return sample;
  }
  [[nodiscard]] std::string describe(std::size_t index) const override {
    return files_[index].string();
  }
  [[nodiscard]] std::string path(std::size_t index) const override {
    return files_[index].string();
  }
  [[nodiscard]] std::int64_t num_classes() const override { return 0; }
  [[nodiscard]] bool encoded() const override { return true; }

 private:
  std::vector<std::filesystem::path> files_;
};

/// Several data sets, one after the other.
class Sequence final : public data::Dataset {
 public:
  explicit Sequence(std::vector<data::DatasetPtr> parts) : parts_(std::move(parts)) {}

  [[nodiscard]] std::size_t size() const override {
    std::size_t total = 0;
    for (const data::DatasetPtr& part : parts_) total += part->size();
    return total;
  }
  [[nodiscard]] data::Sample read(std::size_t index) const override {
    const data::DatasetPtr& part = find(index);
    return part->read(index);
  }
  [[nodiscard]] std::string describe(std::size_t index) const override {
    const data::DatasetPtr& part = find(index);
    return part->describe(index);
  }
  [[nodiscard]] std::string path(std::size_t index) const override {
    const data::DatasetPtr& part = find(index);
    return part->path(index);
  }
  [[nodiscard]] std::int64_t num_classes() const override { return 0; }
  [[nodiscard]] bool encoded() const override { return true; }

 private:
  /// The part of a sample; `index` becomes its place there.
  [[nodiscard]] const data::DatasetPtr& find(std::size_t& index) const {
    std::size_t part = 0;
    while (index >= parts_[part]->size()) index -= parts_[part++]->size();
    return parts_[part];
  }

  std::vector<data::DatasetPtr> parts_;
};

data::DatasetPtr open_images(const std::vector<std::filesystem::path>& paths) {
  std::vector<data::DatasetPtr> parts;
  for (const std::filesystem::path& path : paths) {
    if (std::filesystem::is_directory(path)) {
      parts.push_back(data::open_dataset({.name = "ImageFolder",
                                          .parameters = {{"root", path.string()}},
                                          .where = path.string()}));
    } else {
      parts.push_back(std::make_shared<ImageFiles>(std::vector{path}));
    }
  }
  return std::make_shared<Sequence>(std::move(parts));
}

/// Images and how they become inputs.
struct Images {
  data::DatasetPtr dataset;
  std::vector<data::TransformConfig> transforms;
  data::LoaderConfig loader = {};
};

Images find_images(const PredictionRequest& request) {
  Images images;
  if (request.data) {
    const data::DataConfig& config = request.data->for_judging();
    images.transforms = config.dataset.transforms;
    images.loader = config.loader;
    if (request.images.empty()) {
      images.dataset = data::open_dataset(config.dataset, config.loader.bad_samples);
    }
  } else {
    const FolderOptions folder = fit_to_model(request.folder, shipped_model(request.model));
    base::log_info("{}", describe_transforms(folder));
    images.transforms = folder_transforms(folder);
  }
  if (!request.images.empty()) images.dataset = open_images(request.images);
  if (images.dataset == nullptr) {
    throw base::UserError(base::Problem{.what = "nothing to predict: no images were given",
                                        .hint = "name image files or folders, or use --data"});
  }
  if (request.samples > 0) {
    images.dataset = data::first_samples(images.dataset, static_cast<std::size_t>(request.samples));
  }
  return images;
}

/// Probabilities of one row of outputs.
std::vector<double> probabilities(const float* row, std::int64_t count) {
  std::vector<double> scores(row, row + count);
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  const double low = *std::ranges::min_element(scores);
  if (low >= 0 && std::abs(sum - 1) < 1e-3) return scores;
  const double high = *std::ranges::max_element(scores);
  double total = 0;
  for (double& score : scores) total += score = std::exp(score - high);
  for (double& score : scores) score /= total;
  return scores;
}

std::vector<RankedClass> rank(const std::vector<double>& scores, int top,
                              const std::vector<std::string>& names) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](std::int64_t index) {
    return scores[static_cast<std::size_t>(index)];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top)));
  std::vector<RankedClass> ranked;
  for (const std::int64_t index : order) {
    const auto place = static_cast<std::size_t>(index);
    ranked.push_back({.index = index,
                      .score = scores[place],
                      .name = place < names.size() ? names[place] : std::string()});
  }
  return ranked;
}

/// [batch, classes] in float32; also [batch, classes, 1, 1].
Tensor as_scores(const Tensor& output, const std::filesystem::path& model) {
  const Tensor scores = train::class_scores(output);
  if (scores.dim() != 2 || scores.size(1) < 2) {
    throw base::UnsupportedError(
        {.what = fmt::format("cannot predict with the model '{}'", model.string()),
         .got = fmt::format("an output of shape {}",
                            tensor::to_string(tensor::make_shape(output.sizes().vec()))),
         .expected = "scores of shape [batch, classes]"});
  }
  return scores.to(at::kFloat).contiguous();
}

/// The file of an image, or what the data set calls it.
std::string image_name(const data::Dataset& dataset, std::int64_t index) {
  const auto place = static_cast<std::size_t>(index);
  const std::string path = dataset.path(place);
  return path.empty() ? dataset.describe(place) : path;
}

/// "3 name": its number, which it takes off the line; nothing when there is none.
std::optional<std::size_t> take_number(std::string& line) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc() || end == line.data() + line.size() || *end != ' ') return std::nullopt;
  line.erase(0, static_cast<std::size_t>(end - line.data()) + 1);
  return number;
}

}  // namespace

std::vector<std::string> read_class_names(const std::filesystem::path& path) {
  constexpr std::size_t kMostClasses = 1'000'000;
  const std::string text = base::read_file(path);
  std::vector<std::string> lines;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string line = text.substr(start, end - start);
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
    start = end + 1;
  }
  if (std::ranges::all_of(lines, &std::string::empty)) {
    throw base::UserError({.what = "no names in a list of class names",
                           .where = path.string(),
                           .got = "an empty file",
                           .expected = "a name, or 'number name', on each line"});
  }
  std::string first = lines.front();
  if (!take_number(first)) return lines;
  std::vector<std::string> names;
  for (std::size_t index = 0; index < lines.size(); ++index) {
    if (lines[index].empty()) continue;
    const std::optional<std::size_t> number = take_number(lines[index]);
    if (!number || *number >= kMostClasses) {
      throw base::UserError({.what = "bad line in a list of class names",
                             .where = fmt::format("{}:{}", path.string(), index + 1),
                             .got = fmt::format("'{}'", lines[index].substr(0, 80)),
                             .expected = "'number name', as the first line"});
    }
    if (names.size() <= *number) names.resize(*number + 1);
    names[*number] = lines[index];
  }
  return names;
}

std::vector<Prediction> predict_images(const PredictionRequest& request) {
  const Images images = find_images(request);
  const std::vector<std::string> names = request.class_names.empty()
                                             ? images.dataset->class_names()
                                             : read_class_names(request.class_names);
  const std::filesystem::path model = shipped_model(request.model);
  const Runner run = open_runner(model, request.engine, request.threads);
  data::Loader loader(images.dataset,
                      std::make_shared<const data::TransformChain>(images.transforms),
                      {.sampler = {.batch_size = request.batch_size}, .loader = images.loader});
  report::Progress progress({.title = "predict",
                             .total = loader.samples_per_epoch(),
                             .unit = "images",
                             .style = request.progress});
  std::vector<Prediction> predictions;
  loader.start();
  while (const std::optional<data::Batch> batch = loader.next()) {
    base::stop_if_interrupted();
    const Tensor scores = as_scores(judged_output(run(std::span(&batch->images, 1))), model);
    const Tensor labels = batch->labels.contiguous();
    for (std::int64_t row = 0; row < scores.size(0); ++row) {
      const auto place = static_cast<std::size_t>(row);
      const float* values = scores.const_data_ptr<float>() + row * scores.size(1);
      predictions.push_back(
          {.image = image_name(*images.dataset, batch->indices[place]),
           .label = labels.const_data_ptr<std::int64_t>()[row],
           .top = rank(probabilities(values, scores.size(1)), request.top, names)});
    }
    progress.update(static_cast<std::int64_t>(predictions.size()));
  }
  progress.finish();
  return predictions;
}

report::Json to_json(const std::vector<Prediction>& predictions) {
  report::Json list = report::Json::array();
  for (const Prediction& prediction : predictions) {
    report::Json entry = report::Json::object();
    entry["image"] = prediction.image;
    if (prediction.label >= 0) entry["label"] = prediction.label;
    entry["top"] = report::Json::array();
    for (const RankedClass& one : prediction.top) {
      report::Json ranked = report::Json::object();
      ranked["class"] = one.index;
      ranked["score"] = one.score;
      if (!one.name.empty()) ranked["name"] = one.name;
      entry["top"].push_back(ranked);
    }
    list.push_back(entry);
  }
  report::Json json = report::Json::object();
  json["images"] = static_cast<std::int64_t>(predictions.size());
  json["predictions"] = list;
  return json;
}

std::string to_text(const std::vector<Prediction>& predictions) {
  std::string text;
  for (const Prediction& prediction : predictions) {
    text += prediction.image;
    std::string_view separator = ": ";
    for (const RankedClass& one : prediction.top) {
      text += fmt::format("{}{} {}{:.3f}", separator, one.index,
                          one.name.empty() ? "" : one.name + ' ', one.score);
      separator = ", ";
    }
    text += '\n';
  }
  return text;
}

}  // namespace espalier::recipe
