#pragma once

#include <memory>
#include <string>
#include <vector>

#include "espalier/base/random.h"
#include "espalier/data/config.h"

namespace espalier::data {

/// The picture on its way through the transforms (image.h; holds an OpenCV matrix).
struct Image;

/// In which form a picture stands between two transforms.
enum class Layout {
  Encoded,  ///< bytes of a file
  Hwc,      ///< height x width x channels
  Chw,      ///< channels x height x width
};

/// One step from a sample to a tensor. Immutable: one object serves all worker threads.
class Transform {
 public:
  virtual ~Transform() = default;
  /// The layout that this step leaves. Throws UserError when it cannot take `layout`.
  [[nodiscard]] virtual Layout layout_after(Layout layout) const = 0;
  /// Changes the picture; every random choice comes from `random`. Throws UserError.
  virtual void apply(Image& image, base::Random& random) const = 0;
};

/// Makes a transform by its PaddleClas name: DecodeImage, ResizeImage, CropImage, RandCropImage,
/// PaddedRandCrop, RandFlipImage, NormalizeImage, ToCHWImage. Throws UserError for an unknown name
/// or key, a wrong type, a value out of range.
[[nodiscard]] std::unique_ptr<const Transform> make_transform(const TransformConfig& config);

/// Names that make_transform knows.
[[nodiscard]] std::vector<std::string> transform_names();

}  // namespace espalier::data
