#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/data/config.h"

namespace espalier::data {

struct ImageListOptions {
  std::string delimiter = " ";
  std::int64_t num_classes = 0;  ///< labels must be below; 0: unknown
  BadSamples policy = BadSamples::Error;
};

/// A list of labelled images in PaddleClas's form: one `path<delimiter>label` a line. The last
/// delimiter of a line counts, so that paths may hold blanks. Line ends of both kinds, a byte order
/// mark and blank lines are accepted; paths are UTF-8 (or any bytes of the file system), relative,
/// and stay inside the image folder.
class ImageList {
 public:
  /// Throws UserError naming `source` and line of the first bad line, or that there is no image.
  /// With BadSamples::Skip bad lines are left out and kept as `problems`.
  [[nodiscard]] static ImageList parse(std::string text, std::string source,
                                       const ImageListOptions& options);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::string_view path(std::size_t index) const;
  [[nodiscard]] std::int64_t label(std::size_t index) const { return entries_[index].label; }
  /// "val_list.txt:12".
  [[nodiscard]] std::string place(std::size_t index) const;
  [[nodiscard]] std::int64_t largest_label() const;
  /// Messages of the lines that were left out.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  /// Leaves out an entry that turned out to be unusable; the others keep their places.
  void remove(const std::vector<std::size_t>& indices);

 private:
  /// Kept small: lists have millions of lines.
  struct Entry {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t line = 0;
    std::int32_t label = 0;
  };

  std::string text_;
  std::string source_;
  std::vector<Entry> entries_;
  std::vector<std::string> problems_;
};

}  // namespace espalier::data
