#pragma once

#include <vector>

namespace espalier::prune {

/// Loss of a metric by the share of a group's channels that is removed, at measured points with
/// ascending shares. In between it is interpolated, and never falls.
struct LossCurve {
  struct Point {
    double removed = 0;
    double loss = 0;
  };
  std::vector<Point> points = {};

  /// Loss at a share; that of the last point beyond it.
  [[nodiscard]] double loss_at(double removed) const;
  /// The largest measured or interpolated share whose loss is at most `loss`.
  [[nodiscard]] double removed_at(double loss) const;
};

}  // namespace espalier::prune
