#pragma once

#include <cstdint>
#include <filesystem>

namespace espalier::benchmarks {

/// A temporary folder of JPEG files made of seeded noise over soft shapes (so that they compress as
/// photographs do) and a list `list.txt` with lines "name label"; removed by the destructor.
class JpegFolder {
 public:
  JpegFolder(std::int64_t count, std::int64_t size, std::int64_t classes);
  JpegFolder(const JpegFolder&) = delete;
  JpegFolder& operator=(const JpegFolder&) = delete;
  ~JpegFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace espalier::benchmarks
