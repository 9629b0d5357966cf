// What clumsy and hostile users give the program: every case ends with the exit code of the
// documentation and one message that says what, where, got and expected.
#include <limits>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <ATen/ops/full_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "espalier/report/json.h"
#include "espalier/zoo/table.h"
#include "tests/cli/finished.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::cli {
namespace {

using testing::HasSubstr;

/// A folder with models, data files and pictures to give.
class BadInput : public testing::Test {
 protected:
  std::string save(const std::string& name, const ir::Graph& graph) {
    onnx::save(graph, folder_.path() / name);
    return folder_.file(name);
  }
  std::string model() { return save("model.onnx", zoo::build("FashionCNN", {.classes = 4})); }
  std::string text_model(const std::string& name, const std::string& text) {
    return save(name, onnx::parse(text));
  }

  std::string data(const std::string& options = "size: 28, channels: 1") {
    return folder_.write("data.yaml", "dataset: {name: Synthetic, " + options +
                                          ", classes: 4, count: 24,\n"
                                          "  transform_ops: [{ToCHWImage: }]}\n"
                                          "loader: {num_workers: 0}\n");
  }

  /// Images of 4 x 4 pixels with their list; `lines` come before the good ones.
  std::string image_list(const std::string& lines, const std::string& policy) {
    const std::string pixels = "P6 4 4 255\n" + std::string(48, '\x40');
    folder_.write("images/a.ppm", pixels);
    folder_.write("images/b.ppm", pixels);
    folder_.write("images/cut.ppm", pixels.substr(0, 30));
    folder_.write("images/text.jpg", "this is no picture");
    folder_.write("list.txt", "a.ppm 0\n" + lines + "b.ppm 1\n");
    return folder_.write(
        "list.yaml", "dataset:\n  name: ImageNetDataset\n  image_root: " + folder_.file("images") +
                         "\n  cls_label_path: " + folder_.file("list.txt") +
                         "\n  transform_ops: [{DecodeImage: }, {ToCHWImage: }]\n"
                         "loader: {num_workers: 0, bad_samples: " +
                         policy + "}\n");
  }
  std::string image_model() {
    return text_model("image.onnx", R"(agraph (float[N, 3, 4, 4] x) => (float[N, 3] y) {
      g = GlobalAveragePool (x)
      y = Flatten (g)
    })");
  }

  Finished quantize(const std::string& file, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"quantize",
                                   file,
                                   "--data",
                                   data(),
                                   "-o",
                                   folder_.file("run"),
                                   "--latency-rounds",
                                   "0",
                                   "--samples",
                                   "8",
                                   "--min-agreement",
                                   "0",
                                   "--max-drop",
                                   "100"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  void expect_refused(const Finished& result, int code, const std::string& message) const {
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr("error: "));
    EXPECT_THAT(result.err, HasSubstr(message));
  }

  kit::TemporaryFolder folder_;
};

TEST_F(BadInput, ModelFilesThatAreNone) {
  const std::string whole = onnx::encode(zoo::build("FashionCNN", {.classes = 4}), {});
  const std::string cut = folder_.write("cut.onnx", whole.substr(0, whole.size() / 2));
  expect_refused(run({"inspect", cut}), 2, "cut.onnx': got ");
  expect_refused(run({"inspect", cut}), 2, "the file is truncated or damaged");
  expect_refused(run({"inspect", folder_.write("empty.onnx", "")}), 2, "got an empty file");
  expect_refused(run({"inspect", folder_.path().string()}), 2,
                 "is no run folder with a model: expected model.onnx in it");
  expect_refused(run({"inspect", data()}), 2, "data.yaml': got other content, expected an ONNX");
  expect_refused(run({"bench", model(), cut}), 2, "cut.onnx");
  expect_refused(run({"verify", cut, "--float", model(), "--data", data()}), 2, "cut.onnx");
  expect_refused(run({"report", model()}), 2, "model.onnx/report.json': got Not a directory");
}

TEST_F(BadInput, DataFilesWithMistakes) {
  const auto evaluate = [&](const std::string& text) {
    return run({"evaluate", model(), "--data", folder_.write("d.yaml", text)});
  };
  expect_refused(evaluate(""), 2, "d.yaml: got nothing, expected a map of keys");
  expect_refused(evaluate("dataset:\n\tname: X\n"), 2,
                 "d.yaml:2: got illegal map value, expected valid YAML (the line is indented with "
                 "a tab: YAML wants spaces)");
  expect_refused(evaluate("dataset:\n  name: Synthetic\n  transform_opps: [{ToCHWImage: }]\n"), 2,
                 "unknown key 'transform_opps' in 'dataset': " + folder_.file("d.yaml") +
                     ":3 (did you mean 'transform_ops')");
  expect_refused(evaluate("dataset: {name: Synthetic, size: big}\n"), 2,
                 "bad value of 'size': " + folder_.file("d.yaml") + ":1 (Synthetic): got 'big'");
  expect_refused(run({"evaluate", model(), "--data", folder_.file("none.yaml")}), 2,
                 "none.yaml': got No such file");
}

TEST_F(BadInput, OptionsOfFoldersAreNotIgnoredForFiles) {
  for (const char* option : {"--size", "--mean", "--std"}) {
    const Finished result = run({"evaluate", model(), "--data", data(), option, "3"});
    expect_refused(result, 2,
                   std::string(option) + " is for a folder of images: got the data file");
  }
  expect_refused(run({"inspect", model(), "-q", "-v"}), 2, "excludes");
}

TEST_F(BadInput, AFolderOfImagesIsRead) {
  const std::string list = image_list("", "error");
  std::filesystem::remove(folder_.path() / "images/cut.ppm");
  std::filesystem::remove(folder_.path() / "images/text.jpg");
  const Finished result = run({"evaluate", image_model(), "--data", folder_.file("images"),
                               "--size", "4", "--compare", "onnxruntime", "--json"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\"images\":2"));
}

TEST_F(BadInput, ImagesAndLabels) {
  const auto evaluate = [&](const std::string& lines, const std::string& policy) {
    return run({"evaluate", image_model(), "--data", image_list(lines, policy), "--json"});
  };
  EXPECT_EQ(evaluate("", "error").code, 0);
  expect_refused(evaluate("no_label\n", "error"), 2, "list.txt:2: got 'no_label'");
  expect_refused(evaluate("gone.ppm 1\n", "error"), 2, "list.txt:2: got 'gone.ppm'");
  expect_refused(evaluate("cut.ppm 1\n", "error"), 2, "list.txt:2 'cut.ppm'");
  expect_refused(evaluate("text.jpg 1\n", "error"), 2,
                 "list.txt:2 'text.jpg': the file is no image: got unknown content");
  expect_refused(evaluate("a.ppm 3\n", "error"), 2, "list.txt:2 'a.ppm': got 3, expected 0 to 2");
  for (const char* line : {"no_label\n", "gone.ppm 1\n", "cut.ppm 1\n", "text.jpg 1\n"}) {
    const Finished skipped = evaluate(line, "skip");
    EXPECT_EQ(skipped.code, 0) << skipped.err;
    EXPECT_THAT(skipped.err, HasSubstr("left out: ")) << line;
    EXPECT_THAT(skipped.err, HasSubstr("list.txt:2")) << line;
    EXPECT_THAT(skipped.out, HasSubstr("\"images\":2")) << line;
  }
}

TEST_F(BadInput, ImagesOfAnotherSize) {
  const std::string message =
      "the images do not fit the model: input 'image': got images of [3, 32, 32], expected [1, 28, "
      "28] (change the data set or its transforms in '";
  const std::string other = data("size: 32, channels: 3");
  for (const char* engine : {"espalier", "onnxruntime", "openvino"}) {
    expect_refused(run({"evaluate", model(), "--data", other, "--engine", engine}), 2, message);
  }
  expect_refused(run({"verify", model(), "--float", model(), "--data", other}), 2, message);
  expect_refused(
      run({"quantize", model(), "--data", other, "-o", folder_.file("run"), "--samples", "4"}), 2,
      message);
}

TEST_F(BadInput, ModelsThatCannotBeQuantized) {
  const std::string two = text_model("two.onnx", R"(agraph (float[N, 2] x, float[N, 2] z) =>
      (float[N, 2] y) { y = Add (x, z) })");
  expect_refused(quantize(two), 3,
                 "got 2 inputs: x [N, 2] float32, z [N, 2] float32, expected one");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "run"));
  const std::string half = text_model("half.onnx", R"(agraph (float16[N, 1, 28, 28] x) =>
      (float16[N, 1, 28, 28] y) <float16[1, 1, 1, 1] w = {15360}> { y = Conv (x, w) })");
  expect_refused(quantize(half), 3, "initializer 'w': got float16, expected float32");
  const std::string bare = text_model("bare.onnx", R"(agraph (float[N, 1, 28, 28] x) =>
      (float[N, 1] y) { g = GlobalAveragePool (x)
      y = Flatten (g) })");
  expect_refused(quantize(bare), 3, "can be quantized: got ");
  const std::string done = text_model("done.onnx", R"(agraph (float[N, 1, 28, 28] x) =>
      (float[N, 1, 28, 28] y) <float s = {0.5}, uint8 z = {3}> {
      [codes] q = QuantizeLinear (x, s, z)
      y = DequantizeLinear (q, s, z) })");
  expect_refused(quantize(done), 2,
                 "is quantized already: node 'codes' (QuantizeLinear): expected a float model");
}

TEST_F(BadInput, ModelsWithNotANumber) {
  ir::Graph graph = zoo::build("FashionCNN", {.classes = 4});
  ir::Value& weight = *graph.find_value("head.weight");
  graph.set_constant(weight,
                     at::full_like(weight.constant(), std::numeric_limits<float>::quiet_NaN()));
  const std::string file = save("nan.onnx", graph);
  expect_refused(quantize(file), 2, "NaN");
  const Finished evaluated = run({"evaluate", file, "--data", data(), "--json"});
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_THAT(evaluated.err, HasSubstr("24 of 24 images have scores that are NaN or infinite"));
  EXPECT_THAT(evaluated.out, HasSubstr("\"not_finite\":24"));
}

/// As exporters write by default: every shape is for one image.
TEST_F(BadInput, AModelWithAFixedBatchIsTakenAsItIs) {
  ir::Graph graph = zoo::build("FashionCNN", {.classes = 4, .seed = 5});
  onnx::infer_shapes(graph, {{"image", tensor::make_shape({1, 1, 28, 28})}});
  const std::string file = save("one.onnx", graph);
  const std::string open = save("open.onnx", zoo::build("FashionCNN", {.classes = 4, .seed = 5}));
  const auto evaluate = [&](const std::string& which, const char* engine) {
    const Finished result =
        run({"evaluate", which, "--data", data(), "--engine", engine, "--json", "-q"});
    EXPECT_EQ(result.code, 0) << result.err;
    return report::parse_json(result.out, "out").at("metrics");
  };
  for (const char* engine : {"espalier", "onnxruntime", "openvino"}) {
    EXPECT_EQ(evaluate(file, engine), evaluate(open, "espalier")) << engine;
  }
  const Finished result = quantize(file);
  EXPECT_EQ(result.code, 0) << result.err << result.out;
  EXPECT_EQ(evaluate(folder_.file("run/model.onnx"), "openvino").members().size(), 1U);
}

TEST_F(BadInput, ImagesThatNoMemoryHolds) {
  const std::string file = text_model("wide.onnx", R"(agraph (float[N, 1, 2000000, 2000000] x) =>
      (float[N, 1, 1, 1] y) { y = GlobalMaxPool (x) })");
  const Finished result = run({"bench", file, "--rounds", "1"});
  expect_refused(result, 2, "not enough memory: a tensor of ");
  EXPECT_THAT(result.err, testing::Not(HasSubstr("frame #"))) << "no stack of calls";
}

TEST_F(BadInput, RecipesWithMistakes) {
  const auto train = [&](const std::string& model, const std::string& stage) {
    const std::string text =
        "version: 1\nmodel: " + model + "\nstages:\n  - train: " + stage + "\n";
    return run({"train", "-c", folder_.write("r.yaml", text), "-o", folder_.file("trained")});
  };
  expect_refused(train("{zoo: FashonCNN}", "{}"), 2,
                 "unknown model of the zoo: " + folder_.file("r.yaml") +
                     ":2: got 'FashonCNN' (did you mean 'FashionCNN')");
  expect_refused(train("{zoo: FashionCNN}", "{epoch: 2}"), 2,
                 folder_.file("r.yaml") + ":4 (did you mean 'epochs')");
  expect_refused(train("{zoo: FashionCNN}", "{epochs: many}"), 2,
                 "got 'many', expected an integer");
  expect_refused(run({"train", "-c", folder_.path().string()}), 2, "Is a directory");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "trained"));
}

/// Restores the limit on the size of files.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(BadInput, FilesBeyondTheUsersLimitEndWithAMessageAndNoHalfFile) {
  const std::string recipe = folder_.write(
      "r.yaml", "version: 1\nmodel: {zoo: FashionCNN, classes: 4}\ndata:\n  train: " + data() +
                    "\nstages:\n  - train: {epochs: 1}\n");
  Finished result;
  {
    constexpr rlim_t kLimit = 100 << 10;
    const FileSizeLimit limit(kLimit);
    result = run({"train", "-c", recipe, "-o", folder_.file("trained"), "-q"});
  }
  expect_refused(result, 2, "step-00000000.espalier': got File too large");
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "trained")) {
    left.push_back(entry.path().filename().string());
  }
  EXPECT_EQ(left, std::vector<std::string>{"log.txt"});
}

}  // namespace
}  // namespace espalier::cli
