#include "espalier/data/image_list.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/data/excerpt.h"

namespace espalier::data {
namespace {

constexpr std::size_t kLongestPath = 4096;
constexpr std::int64_t kLargestLabel = std::numeric_limits<std::int32_t>::max() - 1;

/// True for absolute paths and those that climb above where they start.
bool leaves_folder(std::string_view path) {
  if (path.starts_with('/')) return true;
  std::int64_t depth = 0;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
  }
  return false;
}

/// What the lines of one list have in common.
struct LineReader {
  std::string_view source;
  const ImageListOptions& options;

  [[noreturn]] void fail(std::uint32_t line, std::string got, std::string expected,
                         std::string hint = {}) const {
    throw base::UserError({.what = "bad line in the image list",
                           .where = fmt::format("{}:{}", source, line),
                           .got = std::move(got),
                           .expected = std::move(expected),
                           .hint = std::move(hint)});
  }

  [[nodiscard]] std::int32_t read_label(std::string_view text, std::uint32_t line) const {
    std::int64_t label = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, label);
    if (error == std::errc::result_out_of_range) label = std::numeric_limits<std::int64_t>::max();
    if (text.empty() || stop != end || error == std::errc::invalid_argument) {
      fail(line, fmt::format("label {}", excerpt(text)), "a whole number");
    }
    const std::int64_t bound =
        options.num_classes > 0 ? std::min(options.num_classes - 1, kLargestLabel) : kLargestLabel;
    if (label < 0 || label > bound) {
      fail(line, fmt::format("label {}", excerpt(text)), fmt::format("a class in 0..{}", bound));
    }
    return static_cast<std::int32_t>(label);
  }

  void check_path(std::string_view path, std::uint32_t line) const {
    if (path.empty()) fail(line, "an empty path", "'path label'");
    if (path.size() > kLongestPath) {
      fail(line, fmt::format("a path of {} bytes", path.size()),
           fmt::format("at most {} bytes", kLongestPath));
    }
    if (path.find('\0') != std::string_view::npos) {
      fail(line, fmt::format("path {}", excerpt(path)), "text", "the list may be a binary file");
    }
    if (leaves_folder(path)) {
      fail(line, fmt::format("path {}", excerpt(path)), "a relative path inside the image folder");
    }
  }
};

std::string_view strip(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\v\f";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// A line cut at its last delimiter.
struct Parts {
  std::string_view path;
  std::string_view label;
};

std::optional<Parts> split_line(std::string_view line, std::string_view delimiter) {
  const std::size_t cut = line.rfind(delimiter);
  if (cut == std::string_view::npos) return std::nullopt;
  return Parts{.path = strip(line.substr(0, cut)),
               .label = strip(line.substr(cut + delimiter.size()))};
}

}  // namespace

ImageList ImageList::parse(std::string text, std::string source, const ImageListOptions& options) {
  base::check(!options.delimiter.empty(), "the delimiter of the image list '{}' is empty", source);
  ImageList list;
  list.text_ = std::move(text);
  list.source_ = std::move(source);
  const LineReader reader{.source = list.source_, .options = options};
  const std::string_view all = list.text_;
  std::size_t start = all.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (std::uint32_t number = 1; start < all.size(); ++number) {
    const std::size_t end = std::min(all.find('\n', start), all.size());
    const std::string_view line = strip(all.substr(start, end - start));
    start = end + 1;
    if (line.empty()) continue;
    try {
      const std::optional<Parts> parts = split_line(line, options.delimiter);
      if (!parts) {
        reader.fail(number, excerpt(line), fmt::format("'path{}label'", options.delimiter),
                    fmt::format("no delimiter {} in the line; 'delimiter' sets another one",
                                excerpt(options.delimiter)));
      }
      reader.check_path(parts->path, number);
      list.entries_.push_back(
          {.offset = static_cast<std::uint64_t>(parts->path.data() - all.data()),
           .length = static_cast<std::uint32_t>(parts->path.size()),
           .line = number,
           .label = reader.read_label(parts->label, number)});
    } catch (const base::UserError& problem) {
      if (options.policy == BadSamples::Error) throw;
      list.problems_.emplace_back(problem.what());
    }
  }
  if (list.entries_.empty()) {
    throw base::UserError({.what = fmt::format("the image list '{}' names no image", list.source_),
                           .got = list.problems_.empty()
                                      ? "an empty file"
                                      : fmt::format("{} bad lines", list.problems_.size()),
                           .expected = "lines of the form 'path label'"});
  }
  return list;
}

std::string_view ImageList::path(std::size_t index) const {
  const Entry& entry = entries_[index];
  return std::string_view(text_).substr(entry.offset, entry.length);
}

std::string ImageList::place(std::size_t index) const {
  return fmt::format("{}:{}", source_, entries_[index].line);
}

std::int64_t ImageList::largest_label() const {
  return std::ranges::max_element(entries_, {}, &Entry::label)->label;
}

void ImageList::remove(const std::vector<std::size_t>& indices) {
  std::vector<bool> removed(entries_.size(), false);
  for (const std::size_t index : indices) removed[index] = true;
  std::size_t kept = 0;
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    if (!removed[index]) entries_[kept++] = entries_[index];
  }
  entries_.resize(kept);
}

}  // namespace espalier::data
