#pragma once

#include "espalier/data/dataset.h"
#include "espalier/data/datasets/opening.h"

namespace espalier::data {

/// "IDX": images and labels in two IDX files, plain or gzip. Keys: images, labels (paths; without
/// labels the images have none), num_classes (0: largest label + 1). Images are [n, h, w] or
/// [n, h, w, 3].
[[nodiscard]] DatasetPtr open_idx(const Opening& opening);

/// "FashionMNIST": the same by MNIST's file names. Keys: root (Debian's
/// /usr/share/datasets/fashion-mnist), split ("train" or "test").
[[nodiscard]] DatasetPtr open_fashion_mnist(const Opening& opening);

}  // namespace espalier::data
