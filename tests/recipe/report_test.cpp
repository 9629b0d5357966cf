#include "espalier/recipe/report.h"

#include <gtest/gtest.h>

#include "espalier/zoo/table.h"

namespace espalier::recipe {
namespace {

using report::Json;

deploy::EngineReport engine(const std::string& name, double top1) {
  deploy::EngineReport report;
  report.name = name;
  report.version = "1.2";
  report.integer_mac_share = 0.99;
  report.images = 100;
  report.agreement = 0.985;
  report.simulation_agreement = 0.995;
  report.float_metrics = {{"top1", 81.0}};
  report.metrics = {{"top1", top1}};
  report.float_latency =
      deploy::LatencySummary{.name = "float", .median_ms = 4, .p10_ms = 3, .p90_ms = 5};
  report.latency = deploy::LatencySummary{.name = "int8", .median_ms = 2, .p10_ms = 1, .p90_ms = 3};
  report.speedup = deploy::LatencyRatio{.ratio = 2, .low = 1.9, .high = 2.1};
  report.float_ops = {{.name = "fc<1>", .op = "Gemm", .macs = 10}};
  return report;
}

QuantizationResult result() {
  QuantizationResult quantization;
  quantization.plan.target = "x86";
  quantization.plan.calibration = "512 of 1000 images, seed 1";
  quantization.plan.activations["x"] = {.params = {.scale = {0.5F}, .zero_point = {3}},
                                        .method = "mse",
                                        .low = -1,
                                        .high = 2,
                                        .observed_low = -2,
                                        .observed_high = 2,
                                        .sqnr_db = 40,
                                        .clipped = 0.001};
  auto& weight = quantization.plan.weights["w"];
  weight.params = {.scale = {0.1F}, .zero_point = {0}, .axis = 0};
  weight.sqnr_db = 35;
  quantization.plan.float_nodes = {{.node = "pad", .op = "Pad", .reason = "no integer kernel"}};
  quantization.layers = {
      {.name = "conv1",
       .op = "Conv",
       .input = "x",
       .weight = "w",
       .macs = 1000,
       .output_sqnr_db = 30},
      {.name = "conv2", .op = "Conv", .input = "", .weight = "", .macs = 1, .output_sqnr_db = 20}};
  quantization.verification.float_bytes = 4000;
  quantization.verification.quantized_bytes = 1100;
  quantization.verification.engines = {engine("onnxruntime", 80.9), engine("openvino", 80.7)};
  quantization.operators = {{.engine = "openvino",
                             .name = "conv1",
                             .op = "Conv",
                             .elements = 9,
                             .different = 1,
                             .worst_step = 1}};
  quantization.judging_images = 100;
  quantization.left_out = 2;
  quantization.seconds = {{"calibrate", 1.5}};
  return quantization;
}

TEST(Report, JsonHasTheDocumentedKeys) {
  const ir::Graph graph = zoo::build("FashionCNN");
  const QuantizationResult quantization = result();
  const Json json =
      report_json({.title = "net", .seed = 5, .graph = &graph, .quantization = &quantization});
  EXPECT_EQ(json.at("float").at("bytes").as_integer(), 4000);
  EXPECT_EQ(json.at("compressed").at("bytes").as_integer(), 1100);
  EXPECT_DOUBLE_EQ(json.at("compressed").at("latency_ms").at("openvino").at("p90").as_number(), 3);
  EXPECT_GT(json.at("float").at("macs").as_integer(), 0);
  EXPECT_DOUBLE_EQ(json.at("agreement").as_number(), 0.985);
  EXPECT_EQ(json.at("skipped_images").as_integer(), 2 + 100 - quantization.verification.images);
  ASSERT_EQ(json.at("engines").items().size(), 2U);
  const Json& first = json.at("engines").items().front();
  for (const char* key :
       {"name", "version", "integer_mac_share", "float_ops", "agreement", "metrics"}) {
    EXPECT_NE(first.find(key), nullptr) << key;
  }
  const Json& layer = json.at("layers").items().front();
  EXPECT_EQ(layer.at("bits").as_integer(), 8);
  EXPECT_DOUBLE_EQ(layer.at("scale").as_number(), 0.5);
  EXPECT_DOUBLE_EQ(layer.at("clipped").as_number(), 0.001);
  EXPECT_EQ(json.at("layers").items()[1].at("bits").as_integer(), 32);
  EXPECT_EQ(json.at("seed").as_integer(), 5);
  EXPECT_EQ(json.at("versions").at("openvino").as_string(), "1.2");
  EXPECT_TRUE(json.at("passed").as_bool());
}

TEST(Report, PageAndTextSayTheSameAfterAFile) {
  const ir::Graph graph = zoo::build("FashionCNN");
  QuantizationResult quantization = result();
  quantization.verification.engines[1].failures = {"not faster than float"};
  const Json json = report_json({.title = "net", .graph = &graph, .quantization = &quantization});
  const Json stored = report::parse_json(report::to_text(json), "report.json");
  const std::string html = report::render_html(report_page(stored));
  EXPECT_NE(html.find("openvino: not faster than float"), std::string::npos);
  EXPECT_EQ(html.find("http://"), std::string::npos);
  const std::string text = report_text(stored);
  EXPECT_NE(text.find("failed: openvino: not faster than float"), std::string::npos);
  EXPECT_NE(text.find("80.90"), std::string::npos);
  EXPECT_NE(text.find("2.00x"), std::string::npos);
}

TEST(Report, CardsAreBadOnlyWhereTheBoundsAreMissed) {
  const ir::Graph graph = zoo::build("FashionCNN");
  QuantizationResult quantization = result();
  deploy::EngineReport& engine = quantization.verification.engines[1];
  engine.integer_mac_share = 0.5;
  const auto tone = [&] {
    const report::Page page =
        report_page(report_json({.title = "net", .graph = &graph, .quantization = &quantization}));
    const auto card = std::ranges::find(page.cards, "Work done in integers", &report::Card::title);
    return card == page.cards.end() ? report::Tone::Neutral : card->tone;
  };
  EXPECT_EQ(tone(), report::Tone::Warning) << "the user's own bound was met";
  engine.failures = {"MACs done in integers"};
  EXPECT_EQ(tone(), report::Tone::Bad);
}

TEST(Report, TrainingAloneHasAPageToo) {
  const ir::Graph graph = zoo::build("FashionCNN");
  train::TrainState state;
  state.optimizer = "sgd";
  state.history = {{.epoch = 1, .training = {{"loss", 2.0}}, .evaluation = {{"top1", 50.0}}}};
  const Json json = report_json({.title = "net", .graph = &graph, .training = state});
  EXPECT_EQ(json.at("training").at("epochs").items().size(), 1U);
  EXPECT_NE(report::render_html(report_page(json)).find("Training loss"), std::string::npos);
  EXPECT_EQ(report_text(json), "");
}

}  // namespace
}  // namespace espalier::recipe
