#include "espalier/data/idx_file.h"

#include <zlib.h>

#include <gmock/gmock.h>

#include "espalier/base/random.h"
#include "tests/data/idx_content.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

std::string write_compressed(const TemporaryFolder& folder, const std::string& content) {
  const std::string path = folder.file("compressed.gz");
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  return path;
}

TEST(IdxFile, ReadsPlainAndCompressed) {
  const TemporaryFolder folder;
  const std::string content = idx_content({2, 3}, "abcdef");
  for (const std::string& path :
       {folder.write("plain", content), write_compressed(folder, content)}) {
    const IdxArray array = read_idx_file(path);
    EXPECT_THAT(array.sizes, testing::ElementsAre(2, 3));
    EXPECT_THAT(array.bytes, testing::ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  }
}

TEST(IdxFile, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto refuse = [&](const std::string& content, std::string_view message) {
    const std::string path = folder.write("bad", content);
    expect_user_error([&] { (void)read_idx_file(path); }, message);
  };
  refuse(idx_content({2, 3}, "abcde"), "bad': got 5 bytes of data, expected 6 bytes");
  refuse(idx_content({2, 3}, "abcdefg"), "got data behind the end, expected 6 bytes");
  refuse("", "got no IDX header");
  refuse("\x89PNG", "got no IDX header");
  refuse(std::string("\0\0\x0d\x01", 4),
         "got element type 0x0d with 1 dimensions, expected unsigned");
  refuse(std::string("\0\0\x08\x09", 4), "with 9 dimensions");
  refuse(std::string("\0\0\x08\x02\0\0", 6), "got a header cut off");
  refuse(idx_content({0, 3}, ""), "got size 0 in dimension 0");
  refuse(idx_content({0xFFFFFFFF, 0xFFFFFFFF}, ""), "got size 4294967295 in dimension 0");
  refuse(idx_content({65536, 65536}, ""), "got size 65536 in dimension 1");
  expect_user_error([&] { (void)read_idx_file(folder.file("none")); },
                    "none': got No such file or directory");
}

TEST(IdxFile, DoesNotBelieveAHugeClaim) {
  const TemporaryFolder folder;
  const std::string path = folder.write("claims", idx_content({2000, 1000, 1000}, "x"));
  expect_user_error([&] { (void)read_idx_file(path); },
                    "got 1 bytes of data, expected 2000000000 bytes");
}

TEST(IdxFile, FindsDamageInCompressedFiles) {
  const TemporaryFolder folder;
  // Noise, so that compression keeps its length.
  base::Random random(1);
  std::string noise;
  for (int i = 0; i < 20'000; ++i) noise += static_cast<char>(random.below(256));
  (void)write_compressed(folder, idx_content({20'000}, noise));
  const std::string whole = folder.read("compressed.gz");
  const std::string cut = folder.write("cut", whole.substr(0, whole.size() / 2));
  expect_user_error([&] { (void)read_idx_file(cut); }, "cannot read the IDX file");
  std::string damaged = whole;
  for (std::size_t place = 8000; place < 8100; ++place) damaged[place] = '\x55';
  const std::string path = folder.write("damaged", damaged);
  expect_user_error([&] { (void)read_idx_file(path); }, "cannot read the IDX file");
}

}  // namespace
}  // namespace espalier::data
