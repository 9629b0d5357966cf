#pragma once

#include <cstdint>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// For every image the class with the largest of its scores [images, classes] (of equal ones the
/// first).
[[nodiscard]] std::vector<std::int64_t> best_classes(const Tensor& scores);

/// For every image how far `classes[image]` leads: its score minus the largest of the others, below
/// zero when another class wins. Scores that are not finite give -infinity, a single class
/// +infinity.
[[nodiscard]] std::vector<double> class_leads(const Tensor& scores,
                                              const std::vector<std::int64_t>& classes);

/// Images that must have run before any other is safe.
inline constexpr std::int64_t kLeastImagesForSafety = 200;

/// Which images keep their winning class through a cut, as far as those can tell that have run:
/// one flag an image. `before`: scores [images, classes] of the unpruned network; `after`: of the
/// cut one, read where `ran` is set.
///
/// A line by least squares for each class's score from before to after says what lead an image may
/// expect; another line, from expected to found leads, corrects what the first ones miss together.
/// What is left then has a mean and a spread of its own for the images of each winning class, drawn
/// towards those of all images where a class has few (as the moderated variances of Smyth 2004,
/// "Linear models and empirical Bayes methods for assessing differential expression"). Safe are
/// images that stay ahead by five of these spreads (under a normal distribution 1 of 3 million does
/// not keep its class) and by one and a half times the worst that an image of the same class has
/// lost beyond expectation.
///
/// No image is safe with fewer than kLeastImagesForSafety, or scores that are not finite.
[[nodiscard]] std::vector<char> find_safe_images(const Tensor& before, const Tensor& after,
                                                 const std::vector<char>& ran);

}  // namespace espalier::recipe
