#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "espalier/base/error.h"
#include "espalier/deploy/engine.h"

namespace espalier::deploy {

/// What the fake engine does with one file.
struct FakeModel {
  std::function<std::vector<Tensor>(std::span<const Tensor>)> run;
  std::vector<EngineLayer> layers = {};
};

/// An engine whose models are functions, chosen by the size of the file: the larger is the float
/// one.
class FakeEngine final : public Engine {
 public:
  FakeEngine(std::size_t float_bytes, FakeModel float_model, FakeModel quantized_model)
      : float_bytes_(float_bytes),
        float_model_(std::move(float_model)),
        quantized_model_(std::move(quantized_model)) {}

  [[nodiscard]] std::string name() const override { return "fake"; }
  [[nodiscard]] std::string version() const override { return "1.2"; }
  [[nodiscard]] std::unique_ptr<EngineModel> load(std::string_view model,
                                                  const EngineOptions& options) override {
    if (!refusal.empty()) throw base::UserError(refusal);
    threads = options.threads;
    return std::make_unique<Model>(model.size() == float_bytes_ ? float_model_ : quantized_model_);
  }

  std::string refusal;  ///< not empty: load throws it
  int threads = 0;      ///< that the last load asked for

 private:
  class Model final : public EngineModel {
   public:
    explicit Model(FakeModel model) : model_(std::move(model)) {}
    std::vector<Tensor> run(std::span<const Tensor> inputs) override { return model_.run(inputs); }
    [[nodiscard]] std::vector<EngineLayer> layers() const override { return model_.layers; }

   private:
    FakeModel model_;
  };

  std::size_t float_bytes_;
  FakeModel float_model_;
  FakeModel quantized_model_;
};

}  // namespace espalier::deploy
