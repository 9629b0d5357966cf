#include "espalier/report/progress.h"

#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>

#include "espalier/report/number_format.h"

namespace espalier::report {
namespace {

/// A stream in memory and a clock that the test sets.
class ProgressTest : public testing::Test {
 protected:
  ProgressTest() : stream_(open_memstream(&text_, &size_)) { setenv("LC_ALL", "C", 1); }
  ~ProgressTest() override {
    std::fclose(stream_);
    std::free(text_);  // NOLINT(cppcoreguidelines-no-malloc): open_memstream's own
    unsetenv("LC_ALL");
  }

  ProgressOptions options(ProgressStyle style, std::int64_t total = 200) {
    return {.title = "calibrate",
            .total = total,
            .unit = "images",
            .style = style,
            .stream = stream_,
            .clock = [this] { return time_; },
            .columns = 80};
  }
  std::string text() {
    std::fflush(stream_);
    return {text_, size_};
  }

  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* stream_;
  double time_ = 100;
};

TEST_F(ProgressTest, DrawsABar) {
  Progress progress(options(ProgressStyle::Bar));
  time_ = 102;
  progress.update(50, "loss 0.31");
  EXPECT_EQ(text(),
            "\rcalibrate  [====>           ]  25 %  50/200 images  25/s  6.0 s left  loss "
            "0.31\033[K");
  EXPECT_LE(display_width(text()) - 4, 80U);
  time_ = 108;
  progress.finish("loss 0.10");
  EXPECT_THAT(text(),
              testing::EndsWith("\r\033[Kcalibrate: 200 images in 8.0 s (25/s)  loss 0.10\n"));
}

TEST_F(ProgressTest, RedrawsAtMostTenTimesASecond) {
  Progress progress(options(ProgressStyle::Bar, 100'000));
  for (int i = 1; i <= 100'000; ++i) {
    time_ = 100 + i * 1e-5;
    progress.update(i);
  }
  const std::string drawn = text();
  const auto redraws = std::count(drawn.begin(), drawn.end(), '\r');
  EXPECT_GE(redraws, 9);
  EXPECT_LE(redraws, 11);
}

TEST_F(ProgressTest, WritesPlainLinesToAFile) {
  Progress progress(options(ProgressStyle::Lines));
  time_ = 109;
  progress.update(50);
  EXPECT_EQ(text(), "") << "not before 10 seconds";
  time_ = 110;
  progress.update(100, "loss 0.31");
  time_ = 112;
  progress.update(120);
  time_ = 120;
  progress.finish();
  EXPECT_EQ(text(),
            "calibrate: 100/200 images  10/s  10.0 s left  loss 0.31\n"
            "calibrate: 200 images in 20.0 s (10/s)\n");
}

TEST_F(ProgressTest, ChoosesLinesWhereThereIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ProgressOptions chosen = options(ProgressStyle::Auto);
  chosen.stream = file;
  {
    Progress progress(chosen);
    time_ = 120;
    progress.update(10);
    progress.finish();
  }
  EXPECT_GT(std::ftell(file), 0);
  std::rewind(file);
  std::string content(300, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), file));
  EXPECT_THAT(content, testing::Not(testing::HasSubstr("\r")));
  std::fclose(file);
}

TEST_F(ProgressTest, IsQuietOnRequest) {
  Progress progress(options(ProgressStyle::Quiet));
  time_ = 200;
  progress.update(50);
  progress.finish();
  EXPECT_EQ(text(), "");
}

TEST_F(ProgressTest, KnowsNoEndWithoutATotal) {
  Progress progress(options(ProgressStyle::Bar, 0));
  time_ = 104;
  progress.update(40);
  EXPECT_EQ(text(), "\rcalibrate  40 images  10/s\033[K");
  progress.finish();
  EXPECT_THAT(text(), testing::EndsWith("calibrate: 40 images in 4.0 s (10/s)\n"));
}

TEST_F(ProgressTest, CountsOnlyFreshWorkAfterAResume) {
  ProgressOptions resumed = options(ProgressStyle::Lines);
  resumed.initial = 100;
  Progress progress(resumed);
  time_ = 110;
  progress.update(150);
  EXPECT_EQ(text(), "calibrate: 150/200 images  5/s  10.0 s left\n");
}

TEST_F(ProgressTest, FitsANarrowTerminal) {
  ProgressOptions narrow = options(ProgressStyle::Bar);
  narrow.columns = 30;
  Progress progress(narrow);
  time_ = 102;
  progress.update(50, "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4");
  EXPECT_LE(display_width(text()), 30U + 3) << "3: the sequences around";
}

TEST_F(ProgressTest, MakesRoomForALogLine) {
  Progress progress(options(ProgressStyle::Bar));
  progress.clear();
  EXPECT_EQ(text(), "") << "nothing was drawn";
  progress.update(10);
  progress.clear();
  EXPECT_THAT(text(), testing::EndsWith("\r\033[K"));
}

TEST_F(ProgressTest, EndsItsLineWhenTheWorkIsGivenUp) {
  {
    Progress progress(options(ProgressStyle::Bar));
    progress.update(10);
  }
  EXPECT_THAT(text(), testing::EndsWith("\n"));
  EXPECT_THAT(text(), testing::Not(testing::HasSubstr(" in ")));
}

TEST_F(ProgressTest, UsesBlocksWhereTheTerminalKnowsThem) {
  setenv("LC_ALL", "en_US.UTF-8", 1);
  Progress progress(options(ProgressStyle::Bar));
  time_ = 102;
  progress.update(100);
  EXPECT_THAT(text(), testing::HasSubstr("\u2588\u2591"));
}

}  // namespace
}  // namespace espalier::report
