#include "espalier/prune/loss_curve.h"

#include <algorithm>

namespace espalier::prune {
namespace {

/// The curve from no loss at nothing removed, made to never fall.
std::vector<LossCurve::Point> rising(const LossCurve& curve) {
  std::vector<LossCurve::Point> points{{.removed = 0, .loss = 0}};
  for (const LossCurve::Point& point : curve.points) {
    points.push_back({point.removed, std::max(point.loss, points.back().loss)});
  }
  return points;
}

double between(double low, double high, double share) {
  return low + (high - low) * share;
}

}  // namespace

double LossCurve::loss_at(double removed) const {
  const auto curve = rising(*this);
  for (std::size_t index = 1; index < curve.size(); ++index) {
    const Point& left = curve[index - 1];
    const Point& right = curve[index];
    if (removed > right.removed) continue;
    const double width = right.removed - left.removed;
    return width <= 0 ? right.loss
                      : between(left.loss, right.loss, (removed - left.removed) / width);
  }
  return curve.back().loss;
}

double LossCurve::removed_at(double loss) const {
  const auto curve = rising(*this);
  double reached = 0;
  for (std::size_t index = 1; index < curve.size(); ++index) {
    const Point& left = curve[index - 1];
    const Point& right = curve[index];
    if (right.loss <= loss) {
      reached = right.removed;
    } else if (left.loss <= loss) {
      return between(left.removed, right.removed, (loss - left.loss) / (right.loss - left.loss));
    }
  }
  return reached;
}

}  // namespace espalier::prune
