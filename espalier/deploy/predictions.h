#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

/// What the first output of a model holds.
enum class OutputKind {
  Scores,       ///< float [N, C] or [N, C, 1, 1], C > 1: one class a sample
  DenseScores,  ///< float [N, C, H, W], C > 1: one class a pixel
  Labels,       ///< integers: classes themselves
  Values        ///< anything else: compared by its error only
};

/// How outputs are to be read: a shape alone does not tell an image from scores of its pixels.
enum class OutputMeaning {
  ByShape,  ///< as OutputKind says
  Values    ///< all are plain values
};

[[nodiscard]] OutputKind output_kind(const Tensor& output,
                                     OutputMeaning meaning = OutputMeaning::ByShape);

/// Classes as int64: the first largest score along axis 1, or the labels. Undefined for Values.
[[nodiscard]] Tensor predictions(const Tensor& output, OutputKind kind);

/// Share of equal predictions, over batches.
class Agreement {
 public:
  void add(const Tensor& left, const Tensor& right, OutputKind kind);
  /// Nothing before the first prediction.
  [[nodiscard]] std::optional<double> share() const;
  [[nodiscard]] std::int64_t different() const { return total_ - equal_; }

 private:
  std::int64_t equal_ = 0;
  std::int64_t total_ = 0;
};

/// Accuracy against labels, over batches. Labels below zero are left out.
class Accuracy {
 public:
  /// `labels` [N] for Scores, [N, H, W] for DenseScores and Labels; others are ignored.
  void add(const Tensor& output, const Tensor& labels, OutputKind kind);
  /// In percent: "top1" and, from six classes on, "top5"; "pixel_accuracy" for dense outputs. Empty
  /// when no label was seen.
  [[nodiscard]] std::map<std::string, double> percent() const;

 private:
  struct Hits {
    std::int64_t hits = 0;
    std::int64_t total = 0;
  };
  std::map<std::string, Hits> counts_;
};

/// 10 log10(sum r^2 / sum (r - t)^2) of test outputs t against reference outputs r, over batches.
class SignalToNoise {
 public:
  void add(std::span<const Tensor> reference, std::span<const Tensor> test);
  /// Nothing before the first element or when one is not finite; infinite (capped at 200) when
  /// there is no difference.
  [[nodiscard]] std::optional<double> decibel() const;

 private:
  double signal_ = 0;
  double noise_ = 0;
  std::int64_t elements_ = 0;
};

/// Elements that are NaN or infinite.
[[nodiscard]] std::int64_t count_not_finite(std::span<const Tensor> outputs);

}  // namespace espalier::deploy
