#include "espalier/recipe/safe_images.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ops/isfinite.h>

#include "espalier/base/check.h"

namespace espalier::recipe {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSpreads = 5;
constexpr double kWorst = 1.5;
/// How many images the mean and the spread of all images count for in those of a class.
constexpr double kPriorImages = 5;

Tensor plain_scores(const Tensor& scores) {
  base::invariant(scores.dim() == 2, "scores of {} axes", scores.dim());
  return scores.to(at::kCPU, at::kFloat).contiguous();
}

/// How far `best` leads in a row of scores.
template <class Score>
double lead_of(std::int64_t classes, std::int64_t best, const Score& score) {
  double other = -kInfinity;
  for (std::int64_t index = 0; index < classes; ++index) {
    if (index != best) other = std::max(other, score(index));
  }
  return score(best) - other;
}

struct Line {
  double offset = 0;
  double slope = 0;

  [[nodiscard]] double at(double x) const { return offset + slope * x; }
};

/// Sums for lines by least squares, around means that are known.
struct LineSums {
  double mean_x = 0;
  double mean_y = 0;
  double xx = 0;
  double xy = 0;

  void add(double x, double y) {
    xx += (x - mean_x) * (x - mean_x);
    xy += (x - mean_x) * (y - mean_y);
  }
  /// Level where x does not vary.
  [[nodiscard]] Line line() const {
    const double slope = xx > 0 ? xy / xx : 0;
    return {.offset = mean_y - slope * mean_x, .slope = slope};
  }
};

/// Scores before and after a cut.
class Scores {
 public:
  Scores(const Tensor& before, const Tensor& after, const std::vector<char>& ran)
      : before_(plain_scores(before)), after_(plain_scores(after)), classes_(before.size(1)) {
    base::invariant(
        before.sizes() == after.sizes() && ran.size() == static_cast<std::size_t>(before.size(0)),
        "scores of different images");
    for (std::size_t image = 0; image < ran.size(); ++image) {
      if (ran[image] != 0) images_.push_back(image);
    }
  }

  [[nodiscard]] std::int64_t classes() const { return classes_; }
  /// Images that ran.
  [[nodiscard]] const std::vector<std::size_t>& images() const { return images_; }
  [[nodiscard]] const float* before(std::size_t image) const { return row(before_, image); }
  [[nodiscard]] const float* after(std::size_t image) const { return row(after_, image); }

  [[nodiscard]] bool are_finite() const {
    if (!at::isfinite(before_).all().item<bool>()) return false;
    return std::ranges::all_of(images_, [&](std::size_t image) {
      return std::all_of(after(image), after(image) + classes_,
                         [](float score) { return std::isfinite(score); });
    });
  }

 private:
  [[nodiscard]] const float* row(const Tensor& scores, std::size_t image) const {
    return scores.const_data_ptr<float>() + static_cast<std::int64_t>(image) * classes_;
  }

  Tensor before_;
  Tensor after_;
  std::int64_t classes_;
  std::vector<std::size_t> images_ = {};
};

/// For each class the line from its scores before to those after.
std::vector<Line> fit_scores(const Scores& scores) {
  std::vector<LineSums> sums(static_cast<std::size_t>(scores.classes()));
  const auto count = static_cast<double>(scores.images().size());
  for (const std::size_t image : scores.images()) {
    for (std::size_t index = 0; index < sums.size(); ++index) {
      sums[index].mean_x += scores.before(image)[index] / count;
      sums[index].mean_y += scores.after(image)[index] / count;
    }
  }
  for (const std::size_t image : scores.images()) {
    for (std::size_t index = 0; index < sums.size(); ++index) {
      sums[index].add(scores.before(image)[index], scores.after(image)[index]);
    }
  }
  std::vector<Line> lines;
  for (const LineSums& sum : sums) lines.push_back(sum.line());
  return lines;
}

/// For every image, ran or not, the lead that the lines give.
std::vector<double> expected_leads(const Scores& scores, const std::vector<std::int64_t>& best,
                                   const std::vector<Line>& lines) {
  std::vector<double> result;
  for (std::size_t image = 0; image < best.size(); ++image) {
    const float* row = scores.before(image);
    result.push_back(lead_of(scores.classes(), best[image], [&](std::int64_t index) {
      return lines[static_cast<std::size_t>(index)].at(row[index]);
    }));
  }
  return result;
}

/// `found` is by position in Scores::images().
Line fit_leads(const Scores& scores, const std::vector<double>& expected,
               const std::vector<double>& found) {
  LineSums sums;
  const auto count = static_cast<double>(found.size());
  for (std::size_t index = 0; index < found.size(); ++index) {
    sums.mean_x += expected[scores.images()[index]] / count;
    sums.mean_y += found[index] / count;
  }
  for (std::size_t index = 0; index < found.size(); ++index) {
    sums.add(expected[scores.images()[index]], found[index]);
  }
  return sums.line();
}

/// What is left beyond the line, for the images of one winning class.
struct ClassSpread {
  double count = 0;
  double sum = 0;
  double squares = 0;  ///< of distances from the mean
  double least = kInfinity;

  [[nodiscard]] double mean() const { return sum / (count + kPriorImages); }
  /// How far an image of the class may fall behind its mean; `variance` is that of all images.
  [[nodiscard]] double margin(double variance) const {
    const double spread = std::sqrt((squares + kPriorImages * variance) / (count + kPriorImages));
    return std::max(kSpreads * spread, kWorst * (mean() - least));
  }
};

/// `left` and `best` are by position in the images that ran.
std::vector<ClassSpread> class_spreads(std::int64_t classes, const std::vector<std::int64_t>& best,
                                       const std::vector<double>& left) {
  std::vector<ClassSpread> spreads(static_cast<std::size_t>(classes));
  for (std::size_t index = 0; index < left.size(); ++index) {
    ClassSpread& spread = spreads[static_cast<std::size_t>(best[index])];
    spread.count += 1;
    spread.sum += left[index];
    spread.least = std::min(spread.least, left[index]);
  }
  for (std::size_t index = 0; index < left.size(); ++index) {
    ClassSpread& spread = spreads[static_cast<std::size_t>(best[index])];
    spread.squares += (left[index] - spread.mean()) * (left[index] - spread.mean());
  }
  return spreads;
}

}  // namespace

std::vector<std::int64_t> best_classes(const Tensor& scores) {
  const Tensor values = plain_scores(scores);
  const std::int64_t classes = scores.size(1);
  std::vector<std::int64_t> result;
  for (std::int64_t image = 0; image < scores.size(0); ++image) {
    const float* row = values.const_data_ptr<float>() + image * classes;
    result.push_back(std::max_element(row, row + classes) - row);
  }
  return result;
}

std::vector<double> class_leads(const Tensor& scores, const std::vector<std::int64_t>& classes) {
  const Tensor values = plain_scores(scores);
  base::invariant(classes.size() == static_cast<std::size_t>(scores.size(0)),
                  "{} classes for {} images", classes.size(), scores.size(0));
  const std::int64_t count = scores.size(1);
  std::vector<double> result;
  for (const std::int64_t best : classes) {
    const float* row =
        values.const_data_ptr<float>() + static_cast<std::int64_t>(result.size()) * count;
    const bool finite = std::all_of(row, row + count, [](float x) { return std::isfinite(x); });
    result.push_back(
        finite ? lead_of(count, best, [&](std::int64_t index) { return double{row[index]}; })
               : -kInfinity);
  }
  return result;
}

std::vector<char> find_safe_images(const Tensor& before, const Tensor& after,
                                   const std::vector<char>& ran) {
  const Scores scores(before, after, ran);
  const std::vector<std::size_t>& images = scores.images();
  std::vector<char> safe(ran.size(), 0);
  if (std::ssize(images) < kLeastImagesForSafety || scores.classes() < 2 || !scores.are_finite()) {
    return safe;
  }
  const std::vector<std::int64_t> best = best_classes(before);
  const std::vector<double> expected = expected_leads(scores, best, fit_scores(scores));
  std::vector<std::int64_t> ran_best;
  std::vector<double> found;
  for (const std::size_t image : images) {
    const float* row = scores.after(image);
    ran_best.push_back(best[image]);
    found.push_back(lead_of(scores.classes(), best[image],
                            [&](std::int64_t index) { return double{row[index]}; }));
  }
  const Line line = fit_leads(scores, expected, found);
  if (!(line.slope > 0)) return safe;  // leads turn round or are not finite
  std::vector<double>& left = found;
  double squares = 0;
  for (std::size_t index = 0; index < left.size(); ++index) {
    left[index] -= line.at(expected[images[index]]);
    squares += left[index] * left[index];
  }
  const double variance = squares / static_cast<double>(images.size() - 2);
  const std::vector<ClassSpread> spreads = class_spreads(scores.classes(), ran_best, left);
  for (std::size_t image = 0; image < safe.size(); ++image) {
    const ClassSpread& spread = spreads[static_cast<std::size_t>(best[image])];
    safe[image] = line.at(expected[image]) + spread.mean() > spread.margin(variance) ? 1 : 0;
  }
  return safe;
}

}  // namespace espalier::recipe
