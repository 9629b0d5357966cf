#include "espalier/recipe/sensitivity_store.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

SensitivityHeader header() {
  return {.model = "net, small",
          .model_id = "0123456789abcdef",
          .data = "200 of 500 images, seed 3\nfrom d.yaml",
          .data_id = "fedcba9876543210",
          .criterion = "l1",
          .metric = "top1",
          .images = 200,
          .seed = 3,
          .baseline = 91.5};
}

SensitivityPoint point(std::string group, double ratio, double loss) {
  return {.group = std::move(group),
          .ratio = ratio,
          .channels = 16,
          .removed = static_cast<std::int64_t>(16 * ratio),
          .metric = 91.5 - loss,
          .loss = loss,
          .low = loss - 0.1,
          .high = loss + 1.0 / 3,
          .divergence = 1e-17,
          .images = 200};
}

SensitivityStore store() {
  return {.header = header(),
          .points = {point("a", 0.25, 0.5), point("b,\"c\"", 0.5, 1.0 / 3), point("a", 0.5, -2)}};
}

TEST(SensitivityStore, ReadsBackEveryBit) {
  const SensitivityStore read = parse_sensitivities(to_text(store()), "s.csv");
  EXPECT_EQ(read.header, header());
  EXPECT_EQ(read.points, store().points);
}

TEST(SensitivityStore, LeavesOutATornLastLine) {
  const std::string text = to_text(store());
  const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
  for (std::size_t size = last; size < text.size(); ++size) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(parse_sensitivities(text.substr(0, size), "s.csv").points.size(), 2U) << size;
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              size == last ? "" : "warning: 's.csv': the last line is not whole and is left out\n");
  }
}

TEST(SensitivityStore, KeepsThePointThatSawMore) {
  SensitivityPoint stopped = point("a", 0.25, 9);
  stopped.images = 100;
  stopped.stopped = true;
  SensitivityStore result{.header = header()};
  result.add(stopped);
  EXPECT_TRUE(result.find("a", 0.25)->stopped);
  result.add(point("a", 0.25, 8));
  result.add(stopped);
  ASSERT_EQ(result.points.size(), 1U);
  EXPECT_EQ(result.find("a", 0.25)->loss, 8);
  EXPECT_EQ(result.find("a", 0.3), nullptr);
}

struct Damage {
  std::string name;
  std::string from;  ///< text that is replaced
  std::string to;
  std::string message;
};

class DamagedStore : public testing::TestWithParam<Damage> {};

TEST_P(DamagedStore, IsRefusedWithFileAndLine) {
  std::string text = to_text(store());
  const auto place = text.find(GetParam().from);
  ASSERT_NE(place, std::string::npos);
  text.replace(place, GetParam().from.size(), GetParam().to);
  expect_user_error([&] { (void)parse_sensitivities(text, "s.csv"); }, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedStore,
    testing::Values(
        Damage{"OtherFile", "# espalier sens", "group;x", "'s.csv':1: got 'group;xitivity 1'"},
        Damage{"NextVersion", "sensitivity 1\n", "sensitivity 2\n", "'# espalier sensitivity 1'"},
        Damage{"MissingKey", "# data_id", "# date_id", "expected '# data_id: ...'"},
        Damage{"NoImages", "images: 200", "images: 0", "at least 1 image in the header"},
        Damage{"Metric", "# metric: top1", "# metric: foo",
               "metric 'foo' in the header, expected top1 or divergence"},
        Damage{"Columns", "group,ratio", "group,share", "other columns"},
        Damage{"NoNumber", "a,0.25,", "a,x,", "'s.csv':13: got 'x', expected a number"},
        Damage{"NotFinite", "a,0.25,", "a,nan,", "expected a finite number"},
        Damage{"Ratio", "a,0.25,", "a,1.5,", "expected a ratio in [0, 1)"},
        Damage{"AllChannels", "16,4,", "4,4,", "4 of 4 channels"},
        Damage{"MoreImages", ",200,0\n", ",201,0\n", "at most the header's 200"},
        Damage{"Mark", ",200,0\n", ",200,2\n", "expected 0 or 1"},
        Damage{"FewCells", ",200,0\n", ",0\n", "got 10 columns, expected 11"}),
    [](const auto& instance) { return instance.param.name; });

TEST(SensitivityStore, NeedsItsWholeHeader) {
  const std::string text = to_text(store());
  expect_user_error([&] { (void)parse_sensitivities(text.substr(0, 60), "s.csv"); },
                    "got the end of the file, expected the whole header");
  expect_user_error([] { (void)parse_sensitivities("", "s.csv"); }, "'s.csv':1");
}

TEST(SensitivityMerge, UnitesFilesOfOneMeasurement) {
  const TemporaryFolder folder;
  SensitivityStore second{.header = header(), .points = {point("z", 0.5, 4)}};
  second.header.model = "the same under another name";
  const std::vector<std::filesystem::path> files{folder.write("a.csv", to_text(store())),
                                                 folder.write("b.csv", to_text(second))};
  const SensitivityStore merged = merge_sensitivities(files);
  EXPECT_EQ(merged.header, header());
  ASSERT_EQ(merged.points.size(), 4U);
  EXPECT_EQ(merged.points[3], second.points[0]);
}

TEST(SensitivityMerge, NamesPointsThatContradict) {
  const TemporaryFolder folder;
  const SensitivityStore second{.header = header(),
                                .points = {point("a", 0.25, 0.75), point("a", 0.5, -2)}};
  const std::vector<std::filesystem::path> files{folder.write("a.csv", to_text(store())),
                                                 folder.write("b.csv", to_text(second))};
  testing::internal::CaptureStderr();
  const SensitivityStore merged = merge_sensitivities(files);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: '" + files[1].string() +
                "': group 'a' at 0.25 loses 0.75 over the same 200 images as 0.5 in a file before "
                "it, which stays\n");
  EXPECT_EQ(merged.points, store().points);
}

TEST(SensitivityMerge, RefusesOtherMeasurements) {
  const TemporaryFolder folder;
  const std::filesystem::path first = folder.write("a.csv", to_text(store()));
  SensitivityStore other = store();
  other.header.model_id = "ffff";
  other.header.model = "other";
  std::vector<std::filesystem::path> files{first, folder.write("b.csv", to_text(other))};
  expect_user_error([&] { (void)merge_sensitivities(files); },
                    "the sensitivities belong to another model: " + files[1].string() +
                        ": got 'other' (ffff), expected 'net, small' (0123456789abcdef)");
  other = store();
  other.header.criterion = "l2";
  files[1] = folder.write("c.csv", to_text(other));
  expect_user_error([&] { (void)merge_sensitivities(files); },
                    "measured otherwise: " + files[1].string() + ": got criterion l2, expected l1");
  expect_user_error([] { (void)merge_sensitivities({}); }, "nothing to merge");
}

TEST(SensitivityCurves, AscendByTheShareReallyRemoved) {
  const TemporaryFolder folder;
  SensitivityStore content = store();
  content.points.push_back(point("a", 0.125, 0.25));
  content.points.push_back(point("a", 0.26, 0.5));  // 4 of 16 channels, as 0.25
  const auto curves =
      to_curves(load_sensitivities_of(folder.write("s.csv", to_text(content)), "0123456789abcdef"));
  ASSERT_EQ(curves.size(), 2U);
  const prune::LossCurve& curve = curves.at("a");
  ASSERT_EQ(curve.points.size(), 3U);
  EXPECT_EQ(curve.points[0].removed, 0.125);
  EXPECT_EQ(curve.points[1].removed, 0.25);
  EXPECT_EQ(curve.points[2].loss, -2);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.1875), 0.375) << "halfway between 0.25 and 0.5";
}

TEST(SensitivityCurves, AreRefusedForAnotherModel) {
  const TemporaryFolder folder;
  const std::string path = folder.write("s.csv", to_text(store()));
  expect_user_error([&] { (void)load_sensitivities_of(path, "beef"); },
                    "belong to another model: " + path + ": got 'net, small'");
  const std::string empty = folder.write("e.csv", to_text({.header = header()}));
  expect_user_error([&] { (void)load_sensitivities_of(empty, "0123456789abcdef"); },
                    "holds no sensitivities yet");
}

TEST(SensitivityWriter, GoesOnWhereItWasKilled) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.file("run/s.csv");
  {
    SensitivityWriter writer(path, header(), /*resume=*/false);
    writer.add(point("a", 0.25, 0.5));
    writer.add(point("a", 0.5, 1));
  }
  const std::string whole = folder.read("run/s.csv");
  folder.write("run/s.csv", whole.substr(0, whole.size() - 9));
  SensitivityWriter writer(path, header(), /*resume=*/true);
  ASSERT_EQ(writer.store().points.size(), 1U);
  writer.add(point("a", 0.5, 1));
  EXPECT_EQ(folder.read("run/s.csv"), whole);
}

TEST(SensitivityWriter, RefusesWhatItShouldNotOverwrite) {
  const TemporaryFolder folder;
  const std::string path = folder.write("s.csv", to_text(store()));
  expect_user_error([&] { const SensitivityWriter writer(path, header(), false); },
                    "'" + path + "' exists already (go on with it by --resume");
  SensitivityHeader other = header();
  other.data_id = "other";
  expect_user_error([&] { const SensitivityWriter writer(path, other, true); },
                    "measured otherwise: " + path + ": got data_id fedcba9876543210");
  EXPECT_EQ(folder.read("s.csv"), to_text(store())) << "untouched";
}

}  // namespace
}  // namespace espalier::recipe
