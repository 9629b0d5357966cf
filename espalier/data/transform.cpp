#include "espalier/data/transform.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/data/excerpt.h"
#include "espalier/data/parameter_reader.h"
#include "espalier/data/transforms/crop_image.h"
#include "espalier/data/transforms/decode_image.h"
#include "espalier/data/transforms/normalize_image.h"
#include "espalier/data/transforms/padded_rand_crop.h"
#include "espalier/data/transforms/rand_crop_image.h"
#include "espalier/data/transforms/rand_flip_image.h"
#include "espalier/data/transforms/resize_image.h"
#include "espalier/data/transforms/to_chw_image.h"

namespace espalier::data {
namespace {

struct Row {
  std::string_view name;
  std::unique_ptr<const Transform> (*make)(ParameterReader&);
};

/// Every transform there is.
constexpr std::array kTransforms{
    Row{"DecodeImage", &make_decode_image},
    Row{"ResizeImage", &make_resize_image},
    Row{"CropImage", &make_crop_image},
    Row{"RandCropImage", &make_rand_crop_image},
    Row{"PaddedRandCrop", &make_padded_rand_crop},
    Row{"RandFlipImage", &make_rand_flip_image},
    Row{"NormalizeImage", &make_normalize_image},
    Row{"ToCHWImage", &make_to_chw_image},
};

}  // namespace

std::unique_ptr<const Transform> make_transform(const TransformConfig& config) {
  const auto row = std::ranges::find(kTransforms, config.name, &Row::name);
  if (row == kTransforms.end()) {
    throw base::UserError({.what = fmt::format("unknown transform {}", excerpt(config.name)),
                           .where = config.where,
                           .hint = base::suggest_name(config.name, transform_names())});
  }
  ParameterReader parameters(config.name, config.parameters, config.where);
  auto transform = row->make(parameters);
  parameters.finish();
  return transform;
}

std::vector<std::string> transform_names() {
  std::vector<std::string> names;
  for (const Row& row : kTransforms) names.emplace_back(row.name);
  return names;
}

}  // namespace espalier::data
