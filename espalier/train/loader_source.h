#pragma once

#include "espalier/data/loader.h"
#include "espalier/train/batch_source.h"

namespace espalier::train {

/// A loader as the source of batches; borrows it.
class LoaderSource final : public BatchSource {
 public:
  explicit LoaderSource(data::Loader& loader) : loader_(&loader) {}

  [[nodiscard]] std::int64_t batches_per_epoch() const override {
    return loader_->batches_per_epoch();
  }
  void start(SourcePosition position) override {
    loader_->start({.epoch = position.epoch, .sample = position.offset});
  }
  [[nodiscard]] std::optional<data::Batch> next() override { return loader_->next(); }
  [[nodiscard]] SourcePosition position() const override {
    const data::LoaderPosition place = loader_->position();
    return {.epoch = place.epoch, .offset = place.sample};
  }

 private:
  data::Loader* loader_;
};

}  // namespace espalier::train
