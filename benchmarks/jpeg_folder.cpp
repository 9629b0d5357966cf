#include "benchmarks/jpeg_folder.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>

#include "espalier/base/error.h"
#include "espalier/base/random.h"

namespace espalier::benchmarks {
namespace fs = std::filesystem;
namespace {

cv::Mat make_picture(std::int64_t size, base::Random& random) {
  constexpr double kNoise = 12;
  const double across = random.uniform(0.5, 4);
  const double down = random.uniform(0.5, 4);
  cv::Mat picture(static_cast<int>(size), static_cast<int>(size), CV_8UC3);
  for (int row = 0; row < picture.rows; ++row) {
    for (int column = 0; column < picture.cols; ++column) {
      const double angle = (across * column + down * row) / static_cast<double>(size);
      for (int channel = 0; channel < 3; ++channel) {
        const double level = 128 + 90 * std::sin(6.28 * angle + channel) + kNoise * random.normal();
        picture.at<cv::Vec3b>(row, column)[channel] = cv::saturate_cast<unsigned char>(level);
      }
    }
  }
  return picture;
}

}  // namespace

JpegFolder::JpegFolder(std::int64_t count, std::int64_t size, std::int64_t classes) {
  std::string name = (fs::temp_directory_path() / "espalier-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw base::UserError(fmt::format("cannot create the folder '{}'", name));
  }
  path_ = name;
  std::ofstream list(path_ / "list.txt");
  for (std::int64_t index = 0; index < count; ++index) {
    base::Random random(/*seed=*/4, static_cast<std::uint64_t>(index));
    const std::string file = fmt::format("{}.jpg", index);
    cv::imwrite((path_ / file).string(), make_picture(size, random));
    list << fmt::format("{} {}\n", file, index % classes);
  }
}

JpegFolder::~JpegFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace espalier::benchmarks
