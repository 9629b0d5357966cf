#include "espalier/deploy/verify.h"

#include <chrono>
#include <limits>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <onnx/onnx_pb.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "tests/deploy/fake_engine.h"
#include "tests/deploy/small_models.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Outputs = std::vector<Tensor>;

/// Batches of two images with labels 3.
std::function<NextBatch()> two_batches() {
  return [] {
    auto left = std::make_shared<int>(2);
    return [left]() -> std::optional<data::Batch> {
      if ((*left)-- <= 0) return std::nullopt;
      return data::Batch{.images = kit::random_tensor({2, 8, 8, 8}, 1),
                         .labels = kit::integers_of({3, 3}),
                         .indices = {0, 1}};
    };
  };
}

/// Scores [N, 10] in which `best` wins for every sample.
Outputs scores(std::span<const Tensor> inputs, std::int64_t best) {
  Tensor result = kit::random_tensor({inputs[0].size(0), 10}, 2, {.low = 0, .high = 0.5});
  result.select(1, best).fill_(1);
  return {result};
}

/// A model that takes `milliseconds` and lets class `best` win.
FakeModel model(std::int64_t best, int milliseconds, std::vector<EngineLayer> layers = {}) {
  return {.run =
              [=](std::span<const Tensor> inputs) {
                std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
                return scores(inputs, best);
              },
          .layers = std::move(layers)};
}

std::vector<EngineLayer> integer_layers() {
  return {{.name = "conv1", .type = "QLinearConv", .integer = true, .covers = {"conv1"}},
          {.name = "conv2", .type = "QLinearConv", .integer = true, .covers = {"conv2"}},
          {.name = "fc", .type = "QGemm", .integer = true, .covers = {"fc"}}};
}

class VerifyTest : public ::testing::Test {
 protected:
  VerifyReport run(FakeModel float_model, FakeModel quantized_model,
                   const std::function<void(VerifyRequest&)>& change = {}) {
    engine_ = std::make_unique<FakeEngine>(float_bytes_.size(), std::move(float_model),
                                           std::move(quantized_model));
    VerifyRequest request{.float_model = float_bytes_,
                          .quantized_model = quantized_bytes_,
                          .batches = two_batches(),
                          .engines = {"fake"},
                          .latency_rounds = 3,
                          .open = [this](std::string_view) -> Engine& { return *engine_; }};
    if (change) change(request);
    return verify(request);
  }

  std::string float_bytes_ = onnx::encode(float_net());
  std::string quantized_bytes_ = onnx::encode(quantized_net());
  std::unique_ptr<FakeEngine> engine_;
};

TEST_F(VerifyTest, AGoodModelPassesWithAllFacts) {
  std::vector<std::int64_t> seen;
  const VerifyReport report =
      run(model(3, 4), model(3, 2, integer_layers()), [&](VerifyRequest& request) {
        request.simulate = [](std::span<const Tensor> inputs) { return scores(inputs, 3); };
        request.progress = [&](std::int64_t images) { seen.push_back(images); };
        request.threads = 2;
      });
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(report.reasons(), IsEmpty());
  EXPECT_EQ(report.float_bytes, static_cast<std::int64_t>(float_bytes_.size()));
  EXPECT_EQ(report.quantized_bytes, static_cast<std::int64_t>(quantized_bytes_.size()));
  EXPECT_EQ(report.output_kind, OutputKind::Scores);
  EXPECT_THAT(seen, ElementsAre(2, 4));
  ASSERT_THAT(report.engines, SizeIs(1));
  const EngineReport& engine = report.engines[0];
  EXPECT_EQ(engine.name, "fake");
  EXPECT_EQ(engine.version, "1.2");
  EXPECT_EQ(engine.images, 4);
  EXPECT_EQ(engine.integer_mac_share, 1);
  EXPECT_THAT(engine.mac_nodes, SizeIs(3));
  EXPECT_EQ(engine.agreement, 1);
  EXPECT_EQ(engine.simulation_agreement, 1);
  EXPECT_EQ(engine.metrics.at("top1"), 100);
  EXPECT_EQ(engine.output_sqnr_db, 200);
  EXPECT_GT(engine.speedup->ratio, 1.2);
  EXPECT_EQ(engine_->threads, 2);
}

TEST_F(VerifyTest, AWrongModelFailsByMetricAndAgreement) {
  const VerifyReport report = run(model(3, 2), model(4, 1, integer_layers()));
  EXPECT_FALSE(report.passed());
  EXPECT_THAT(report.reasons(),
              ElementsAre(HasSubstr("fake: predictions equal to the float model's: got 0.00 %"),
                          HasSubstr("fake: top1 drops by 100.00 points")));
}

TEST_F(VerifyTest, ASlowModelFailsWithTheLayersThatCostMore) {
  auto layers = integer_layers();
  layers[1].milliseconds = 3;
  const VerifyReport report = run(model(3, 1), model(3, 3, layers));
  EXPECT_THAT(report.reasons(),
              ElementsAre(::testing::AllOf(
                  HasSubstr("not faster than float"),
                  HasSubstr("layers that cost more: 'conv2' (QLinearConv) new: 3.000 ms"))));
}

TEST_F(VerifyTest, NoRoundsMeansNoVerdictAboutLatency) {
  const VerifyReport report = run(model(3, 0), model(3, 1, integer_layers()),
                                  [](VerifyRequest& request) { request.latency_rounds = 0; });
  EXPECT_TRUE(report.passed());
  EXPECT_FALSE(report.engines[0].latency.has_value());
}

TEST_F(VerifyTest, FloatOperatorsFailWithTheirNames) {
  auto layers = integer_layers();
  layers[1].integer = false;
  const VerifyReport report = run(model(3, 2), model(3, 1, layers));
  EXPECT_THAT(report.reasons(), ElementsAre(HasSubstr("left in float: 'conv2' (Conv")));
  EXPECT_THAT(report.engines[0].float_ops, SizeIs(1));
}

TEST_F(VerifyTest, WhatOptionsLeaveInFloatIsNotMissed) {
  auto layers = integer_layers();
  layers[1].integer = false;
  const auto left_out = [](const std::string& name) {
    return [name](VerifyRequest& request) { request.left_out = {name}; };
  };
  const VerifyReport report = run(model(3, 2), model(3, 1, layers), left_out("conv2"));
  EXPECT_TRUE(report.passed());
  const EngineReport& engine = report.engines[0];
  EXPECT_LT(engine.integer_mac_share, 0.98);
  EXPECT_DOUBLE_EQ(engine.integer_mac_share + engine.left_out_mac_share, 1);
  EXPECT_FALSE(run(model(3, 2), model(3, 1, layers), left_out("conv1")).passed());
}

TEST_F(VerifyTest, NanIsAFailure) {
  FakeModel broken = model(3, 1, integer_layers());
  broken.run = [](std::span<const Tensor> inputs) {
    Outputs outputs = scores(inputs, 3);
    outputs[0][0][0] = std::numeric_limits<float>::quiet_NaN();
    return outputs;
  };
  const VerifyReport report =
      run(model(3, 1), broken, [](VerifyRequest& request) { request.latency_rounds = 0; });
  EXPECT_THAT(report.reasons(), Contains("fake: 2 output values are NaN or infinite"));
}

TEST_F(VerifyTest, ASimulationThatDiffersFails) {
  const VerifyReport report =
      run(model(3, 2), model(3, 1, integer_layers()), [](VerifyRequest& request) {
        request.simulate = [](std::span<const Tensor> inputs) { return scores(inputs, 5); };
      });
  EXPECT_THAT(report.reasons(),
              ElementsAre(HasSubstr("predictions equal to the simulation's: got 0.00 %")));
}

TEST_F(VerifyTest, AnEngineThatComputesTheFloatFileOtherwiseIsNamed) {
  const auto reasons_with = [&](int reference) {
    return run(model(3, 2), model(3, 1, integer_layers()),
               [&](VerifyRequest& request) {
                 request.reference = [=](std::span<const Tensor> inputs) {
                   return scores(inputs, reference);
                 };
               })
        .reasons();
  };
  EXPECT_THAT(reasons_with(3), IsEmpty());
  EXPECT_THAT(reasons_with(5), ElementsAre(HasSubstr("computes the float file itself otherwise")));
}

/// A model whose second output is plain values, `scale` times what they should be.
FakeModel with_values(FakeModel model, float scale) {
  model.run = [inner = model.run, scale](std::span<const Tensor> inputs) {
    Outputs outputs = inner(inputs);
    outputs.push_back(kit::random_tensor({inputs[0].size(0), 1}, 3).mul(scale));
    return outputs;
  };
  return model;
}

TEST_F(VerifyTest, EveryOutputIsJudged) {
  EXPECT_TRUE(
      run(with_values(model(3, 2), 1), with_values(model(3, 1, integer_layers()), 1.01F)).passed())
      << "40 dB";
  const VerifyReport report =
      run(with_values(model(3, 2), 1), with_values(model(3, 1, integer_layers()), -100));
  EXPECT_THAT(report.reasons(), ElementsAre(HasSubstr("fake: values against the float model's: "
                                                      "got a signal to noise of -40.1 dB")));
}

TEST_F(VerifyTest, OutputsOfAnotherFormAreAFailure) {
  const VerifyReport more = run(model(3, 2), with_values(model(3, 1, integer_layers()), 1));
  EXPECT_THAT(more.reasons(), ElementsAre("fake: compare with the float file: the outputs cannot "
                                          "be compared: got 2 outputs, expected 1"));
  FakeModel wider = model(3, 1, integer_layers());
  wider.run = [](std::span<const Tensor> inputs) {
    return Outputs{kit::random_tensor({inputs[0].size(0), 1000}, 2)};
  };
  EXPECT_THAT(run(model(3, 2), wider).reasons(),
              ElementsAre(HasSubstr("output 0 cannot be compared: got float [2, 1000], expected "
                                    "float [2, 10]")));
}

TEST_F(VerifyTest, ChannelsThatAreTakenForClassesAreNoted) {
  const auto maps = [](std::vector<EngineLayer> layers) {
    return FakeModel{.run =
                         [](std::span<const Tensor> inputs) {
                           return Outputs{kit::random_tensor({inputs[0].size(0), 3, 4, 4}, 2)};
                         },
                     .layers = std::move(layers)};
  };
  const auto note = Contains(HasSubstr("declare the outputs to be values"));
  EXPECT_THAT(run(maps({}), maps(integer_layers())).engines[0].notes, note);
  const VerifyReport declared = run(maps({}), maps(integer_layers()), [](VerifyRequest& request) {
    request.outputs = OutputMeaning::Values;
  });
  EXPECT_THAT(declared.engines[0].notes, Not(note));
}

TEST_F(VerifyTest, AnEngineThatTellsNoLayersProvesNoIntegers) {
  const VerifyReport report = run(model(3, 2), model(3, 1));
  EXPECT_THAT(report.reasons(), ElementsAre(HasSubstr("MACs done in integers: got 0.00 %")));
}

TEST_F(VerifyTest, EnginesThatTheTargetIsNotForAreOnlyCompared) {
  const auto other_target = [](VerifyRequest& request) { request.integer_engines.emplace(); };
  const VerifyReport report = run(model(3, 1), model(3, 2), other_target);
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(report.engines[0].notes, Contains(HasSubstr("the target is not this engine")));
  EXPECT_FALSE(run(model(3, 1), model(4, 2), other_target).passed()) << "its predictions count";
}

TEST_F(VerifyTest, AFailingSimulationIsAFailureOfTheFiles) {
  const VerifyReport report =
      run(model(3, 2), model(3, 1, integer_layers()), [](VerifyRequest& request) {
        request.simulate = [](std::span<const Tensor>) -> Outputs {
          throw base::UserError("no kernel");
        };
      });
  EXPECT_THAT(report.reasons(), ElementsAre("run the simulation: no kernel"));
}

TEST_F(VerifyTest, AnEngineThatIsMissingIsAFailureNotAnException) {
  const VerifyReport report = run(model(3, 1), model(3, 1), [](VerifyRequest& request) {
    request.engines = {"fake", "openvin"};
    request.open = open_engine;
  });
  ASSERT_THAT(report.engines, SizeIs(2));
  EXPECT_THAT(report.reasons(),
              ElementsAre(HasSubstr("fake: open: unknown engine: got 'fake'"),
                          HasSubstr("openvin: open: unknown engine: got 'openvin'")));
}

TEST_F(VerifyTest, AModelThatTheEngineRefusesIsAFailure) {
  const VerifyReport report = run(
      model(3, 1), model(3, 1), [this](VerifyRequest&) { engine_->refusal = "no such operator"; });
  EXPECT_THAT(report.reasons(), ElementsAre("fake: load the float file: no such operator"));
}

TEST_F(VerifyTest, AModelThatFailsWhileRunningIsAFailure) {
  FakeModel broken = model(3, 1, integer_layers());
  broken.run = [](std::span<const Tensor>) -> Outputs { throw base::UserError("bad shape"); };
  const VerifyReport report = run(model(3, 1), broken);
  EXPECT_THAT(report.reasons(), ElementsAre("fake: run the INT8 file: bad shape"));
}

TEST_F(VerifyTest, AFileThatCannotBeReadIsAFailure) {
  quantized_bytes_ = "garbage";
  const VerifyReport report = run(model(3, 1), model(3, 1));
  EXPECT_THAT(report.reasons(), ElementsAre(HasSubstr("read the INT8 file: ")));
  EXPECT_THAT(report.engines, IsEmpty());
}

TEST_F(VerifyTest, AnEmptyDataSetAndNoEngineAreFailures) {
  const VerifyReport report = run(model(3, 1), model(3, 1), [](VerifyRequest& request) {
    request.engines.clear();
    request.batches = [] { return [] { return std::optional<data::Batch>(); }; };
  });
  EXPECT_THAT(report.reasons(),
              ElementsAre("no engine was asked for", "the data set has no image"));
}

TEST_F(VerifyTest, WithoutImagesOnlyTheFilesAreJudged) {
  const VerifyReport report = run(model(3, 2), model(4, 1, integer_layers()),
                                  [](VerifyRequest& request) { request.batches = {}; });
  EXPECT_TRUE(report.passed());
  EXPECT_FALSE(report.engines[0].agreement.has_value());
  EXPECT_TRUE(report.engines[0].speedup.has_value());
}

TEST_F(VerifyTest, ErrorsOfTheDataPassThrough) {
  EXPECT_THROW((void)run(model(3, 1), model(3, 1),
                         [](VerifyRequest& request) {
                           request.batches = [] {
                             return []() -> std::optional<data::Batch> {
                               throw base::UserError("bad image");
                             };
                           };
                         }),
               base::UserError);
}

TEST_F(VerifyTest, SizesThatInferenceCannotTellAreLookedUp) {
  float_bytes_ = quantized_bytes_ = onnx::encode(onnx::parse(
      "agraph (float[N, 8, H, W] x) => (float[N, 8, a, b] y) <float[8, 1, 1, 1] w ="
      " {1, 2, 3, 4, 5, 6, 7, 8}> { s = Shape (x) z = Sub (s, s) p = Concat <axis = 0> (z, z)"
      " q = Pad (x, p) y = Conv <group = 8> (q, w) }"));
  const VerifyReport report =
      run(model(3, 0), model(3, 0), [](VerifyRequest& request) { request.latency_rounds = 0; });
  ASSERT_THAT(report.engines[0].mac_nodes, SizeIs(1));
  EXPECT_EQ(report.engines[0].mac_nodes[0].macs, 8 * 8 * 8);
}

std::string without_node_names(const std::string& bytes) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  for (::onnx::NodeProto& node : *model.mutable_graph()->mutable_node()) node.clear_name();
  return model.SerializeAsString();
}

class RealEngines : public VerifyTest, public ::testing::WithParamInterface<bool> {};

TEST_P(RealEngines, RunTheNetInIntegersAndAgree) {
  if (!GetParam()) quantized_bytes_ = without_node_names(quantized_bytes_);
  const VerifyReport report = run({}, {}, [](VerifyRequest& request) {
    request.engines = engine_names();
    request.open = open_engine;
    request.latency_rounds = 2;
    request.bounds = {.max_drop = 100, .min_agreement = 0, .allow_slower = true};
  });
  EXPECT_THAT(report.reasons(), IsEmpty());
  for (const EngineReport& engine : report.engines) {
    EXPECT_EQ(engine.integer_mac_share, 1) << engine.name;
    EXPECT_GT(engine.output_sqnr_db, 15) << engine.name;
    EXPECT_EQ(engine.images, 4);
  }
  EXPECT_EQ(report.images, 4);
}

INSTANTIATE_TEST_SUITE_P(VerifyTest, RealEngines, ::testing::Bool(), [](const auto& row) {
  return row.param ? "NamedNodes" : "NodesWithoutNames";
});

}  // namespace
}  // namespace espalier::deploy
