#include "espalier/data/idx_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <zlib.h>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::data {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 31;

struct CloseFile {
  void operator()(gzFile file) const { gzclose(file); }
};
using File = std::unique_ptr<gzFile_s, CloseFile>;

/// Reads a gzip or plain file from front to back.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (!file_) fail(std::strerror(errno), "an IDX file, plain or gzip");
    gzbuffer(file_.get(), 1U << 18);
  }

  [[noreturn]] void fail(const std::string& got, const std::string& expected) const {
    throw base::UserError({.what = fmt::format("cannot read the IDX file '{}'", path_.string()),
                           .got = got,
                           .expected = expected});
  }

  /// Bytes read: fewer than asked for at the end of the file.
  std::size_t read(std::uint8_t* to, std::size_t count) {
    const int got = gzread(file_.get(), to, static_cast<unsigned>(count));
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      fail(code == Z_ERRNO ? std::strerror(errno) : text, "an undamaged file");
    }
    return static_cast<std::size_t>(got);
  }

 private:
  std::filesystem::path path_;
  File file_;
};

std::vector<std::int64_t> read_header(Reader& reader) {
  constexpr std::uint8_t kUnsignedByte = 8;
  std::array<std::uint8_t, 4> magic{};
  if (reader.read(magic.data(), magic.size()) != magic.size() || magic[0] != 0 || magic[1] != 0) {
    reader.fail("no IDX header", "an IDX file, plain or gzip");
  }
  if (magic[2] != kUnsignedByte || magic[3] < 1 || magic[3] > 4) {
    reader.fail(fmt::format("element type 0x{:02x} with {} dimensions", magic[2], magic[3]),
                "unsigned bytes (0x08) with 1 to 4 dimensions");
  }
  std::vector<std::int64_t> sizes;
  std::int64_t total = 1;
  for (int dimension = 0; dimension < magic[3]; ++dimension) {
    std::array<std::uint8_t, 4> word{};
    if (reader.read(word.data(), word.size()) != word.size())
      reader.fail("a header cut off", "sizes");
    const std::int64_t size = std::int64_t{word[0]} << 24 | word[1] << 16 | word[2] << 8 | word[3];
    if (size < 1 || size > kLargest / total) {
      reader.fail(fmt::format("size {} in dimension {}", size, dimension),
                  fmt::format("at least 1 and at most {} bytes in all", kLargest));
    }
    total *= size;
    sizes.push_back(size);
  }
  return sizes;
}

}  // namespace

IdxArray read_idx_file(const std::filesystem::path& path) {
  constexpr std::size_t kPiece = std::size_t{1} << 22;
  Reader reader(path);
  IdxArray array{.sizes = read_header(reader), .bytes = {}};
  std::size_t total = 1;
  for (const std::int64_t size : array.sizes) total *= static_cast<std::size_t>(size);
  // Grows with what is really there, not with what the header claims.
  while (array.bytes.size() < total) {
    const std::size_t place = array.bytes.size();
    array.bytes.resize(std::min(total, place + kPiece));
    const std::size_t asked = array.bytes.size() - place;
    const std::size_t got = reader.read(array.bytes.data() + place, asked);
    if (got != asked) {
      reader.fail(fmt::format("{} bytes of data", place + got), fmt::format("{} bytes", total));
    }
  }
  std::uint8_t beyond = 0;
  if (reader.read(&beyond, 1) != 0)
    reader.fail("data behind the end", fmt::format("{} bytes", total));
  return array;
}

}  // namespace espalier::data
