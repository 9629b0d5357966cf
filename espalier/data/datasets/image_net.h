#pragma once

#include "espalier/data/dataset.h"
#include "espalier/data/datasets/opening.h"

namespace espalier::data {

/// "ImageNetDataset": images named by a list in PaddleClas's form. Keys: image_root,
/// cls_label_path, delimiter (" "), num_classes (0: not checked). Every file must exist when the
/// data set is opened.
[[nodiscard]] DatasetPtr open_image_net(const Opening& opening);

}  // namespace espalier::data
