#pragma once

#include "espalier/data/dataset.h"
#include "espalier/data/datasets/opening.h"

namespace espalier::data {

/// "Synthetic": images calculated from a seed, without any file. A class is a grating of its own
/// direction, wavelength and colour; a sample draws phase, contrast, brightness and noise, so that
/// a small network learns the classes but not at the first step. Keys: size (32; one number or
/// [width, height]), channels (3; 1 or 3), classes (10), count (1000), seed (0: samples), noise
/// (20, deviation in grey levels). Classes do not depend on `seed`: a training and a test split
/// differ by seed alone.
[[nodiscard]] DatasetPtr open_synthetic(const Opening& opening);

}  // namespace espalier::data
