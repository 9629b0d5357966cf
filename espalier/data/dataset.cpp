#include "espalier/data/dataset.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/data/datasets/idx.h"
#include "espalier/data/datasets/image_folder.h"
#include "espalier/data/datasets/image_net.h"
#include "espalier/data/datasets/opening.h"
#include "espalier/data/datasets/synthetic.h"
#include "espalier/data/excerpt.h"
#include "espalier/data/parameter_reader.h"
#include "espalier/data/subset.h"

namespace espalier::data {
namespace {

struct Row {
  std::string_view name;
  DatasetPtr (*open)(const Opening&);
};

/// Every data set there is. Each reads its keys and refuses unknown ones.
constexpr std::array kDatasets{
    Row{"ImageNetDataset", &open_image_net},  Row{"ImageFolder", &open_image_folder},
    Row{"FashionMNIST", &open_fashion_mnist}, Row{"IDX", &open_idx},
    Row{"Synthetic", &open_synthetic},
};

}  // namespace

DatasetPtr open_dataset(const DatasetConfig& config, BadSamples policy) {
  const auto row = std::ranges::find(kDatasets, config.name, &Row::name);
  if (row == kDatasets.end()) {
    throw base::UserError({.what = fmt::format("unknown data set {}", excerpt(config.name)),
                           .where = config.where,
                           .hint = base::suggest_name(config.name, dataset_names())});
  }
  ParameterReader parameters(config.name, config.parameters, config.where);
  DatasetPtr all = row->open({.parameters = parameters, .folder = config.folder, .policy = policy});
  if (!config.part) return all;
  if (config.part->samples < 1 || static_cast<std::size_t>(config.part->samples) >= all->size()) {
    throw base::UserError({.what = "cannot hold out samples of the data set",
                           .where = config.where,
                           .got = fmt::format("{} of {}", config.part->samples, all->size()),
                           .expected = "at least 1, and fewer than there are"});
  }
  HeldOut parts =
      hold_out(std::move(all), static_cast<std::size_t>(config.part->samples), config.part->seed);
  return config.part->held_out ? parts.held_out : parts.rest;
}

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const Row& row : kDatasets) names.emplace_back(row.name);
  return names;
}

}  // namespace espalier::data
