#pragma once

#include "espalier/data/dataset.h"
#include "espalier/data/datasets/opening.h"

namespace espalier::data {

/// "ImageFolder": a folder with one sub-folder a class (classes in the order of the sorted names,
/// images below them at any depth), or a flat folder of images without labels. Keys: root. Files
/// count by extension: jpg, jpeg, png, bmp, webp, tif, tiff, ppm, pgm, pbm.
[[nodiscard]] DatasetPtr open_image_folder(const Opening& opening);

}  // namespace espalier::data
