#include "espalier/recipe/sensitivity_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/recipe/csv_line.h"

namespace espalier::recipe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "# espalier sensitivity 1\n";
constexpr std::string_view kColumns =
    "group,ratio,channels,removed,metric,loss,low,high,divergence,images,stopped\n";
constexpr std::size_t kNumColumns = 11;
constexpr std::uint64_t kLargestFile = std::uint64_t{256} << 20;

[[noreturn]] void damaged(const std::string& where, std::string got, std::string expected) {
  throw base::UserError({.what = "cannot read the sensitivities",
                         .where = where,
                         .got = std::move(got),
                         .expected = std::move(expected)});
}

template <typename Number>
Number parse_number(std::string_view text, const std::string& where) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole) damaged(where, fmt::format("'{}'", text), "a number");
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(number)) damaged(where, fmt::format("'{}'", text), "a finite number");
  }
  return number;
}

/// One key of the header: how it is written and read.
struct HeaderField {
  std::string_view key;
  std::string (*get)(const SensitivityHeader& header);
  void (*set)(SensitivityHeader& header, const std::string& value, const std::string& where);
  bool compared = true;  ///< must agree between files of one measurement
};

template <auto Member>
constexpr HeaderField text_field(std::string_view key, bool compared) {
  return {.key = key,
          .get = [](const SensitivityHeader& header) { return header.*Member; },
          .set = [](SensitivityHeader& header, const std::string& value,
                    const std::string&) { header.*Member = value; },
          .compared = compared};
}

template <auto Member>
constexpr HeaderField number_field(std::string_view key, bool compared) {
  return {.key = key,
          .get = [](const SensitivityHeader& header) { return fmt::to_string(header.*Member); },
          .set =
              [](SensitivityHeader& header, const std::string& value, const std::string& where) {
                using Number = std::remove_reference_t<decltype(header.*Member)>;
                header.*Member = parse_number<Number>(value, where);
              },
          .compared = compared};
}

constexpr std::array kFields{
    text_field<&SensitivityHeader::model>("model", false),
    text_field<&SensitivityHeader::model_id>("model_id", true),
    text_field<&SensitivityHeader::data>("data", false),
    text_field<&SensitivityHeader::data_id>("data_id", true),
    text_field<&SensitivityHeader::criterion>("criterion", true),
    text_field<&SensitivityHeader::metric>("metric", true),
    number_field<&SensitivityHeader::images>("images", true),
    number_field<&SensitivityHeader::seed>("seed", true),
    number_field<&SensitivityHeader::reestimated>("reestimated", true),
    number_field<&SensitivityHeader::baseline>("baseline", false),
};

/// Takes lines off the front of a text; a torn last one is never given.
class Lines {
 public:
  Lines(std::string_view text, std::string source) : rest_(text), source_(std::move(source)) {}

  /// True when what is left is the beginning of a line.
  [[nodiscard]] bool torn() const { return !rest_.empty() && !more(); }
  [[nodiscard]] bool more() const { return rest_.find('\n') != std::string_view::npos; }
  /// The next line without its line feed.
  std::string_view next() {
    ++number_;
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos) damaged(where(), "the end of the file", "the whole header");
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }
  [[nodiscard]] std::string where() const { return fmt::format("'{}':{}", source_, number_); }

 private:
  std::string_view rest_;
  std::string source_;
  int number_ = 0;
};

SensitivityHeader parse_header(Lines& lines) {
  const std::string_view magic = lines.next();
  if (magic != kMagic.substr(0, kMagic.size() - 1)) {
    damaged(lines.where(), fmt::format("'{}'", magic.substr(0, 40)),
            "'# espalier sensitivity 1' in the first line");
  }
  SensitivityHeader header;
  for (const HeaderField& field : kFields) {
    const std::string_view line = lines.next();
    const std::string start = fmt::format("# {}: ", field.key);
    if (!line.starts_with(start)) {
      damaged(lines.where(), fmt::format("'{}'", line.substr(0, 40)),
              fmt::format("'# {}: ...'", field.key));
    }
    const std::string value = unescape_line(line.substr(start.size()), lines.where());
    field.set(header, value, lines.where());
  }
  if (lines.next() != kColumns.substr(0, kColumns.size() - 1)) {
    damaged(lines.where(), "other columns", "the columns of version 1");
  }
  if (header.metric != "top1" && header.metric != "divergence") {
    damaged(lines.where(), fmt::format("metric '{}' in the header", header.metric),
            "top1 or divergence");
  }
  if (header.images < 1) damaged(lines.where(), "no images", "at least 1 image in the header");
  return header;
}

void check_point(const SensitivityPoint& point, const std::string& where) {
  const bool valid = point.ratio >= 0 && point.ratio < 1 && point.channels > 0 &&
                     point.removed >= 0 && point.removed < point.channels && point.images >= 1;
  if (valid) return;
  damaged(where,
          fmt::format("ratio {}, {} of {} channels, {} images", point.ratio, point.removed,
                      point.channels, point.images),
          "a ratio in [0, 1), fewer channels removed than there are, at least 1 image");
}

/// True when `left` says more about the same point than `right`.
bool says_more(const SensitivityPoint& left, const SensitivityPoint& right) {
  return left.images > right.images;
}

/// Of two points over the same images both cannot be true.
void warn_of_contradiction(const SensitivityStore& store, const SensitivityPoint& point,
                           const std::string& source) {
  constexpr double kSame = 1e-6;  // divergences differ in the last digits between processors
  const SensitivityPoint* other = store.find(point.group, point.ratio);
  if (other == nullptr || other->images != point.images || other->stopped != point.stopped ||
      std::abs(other->loss - point.loss) <= kSame * std::max(1.0, std::abs(point.loss))) {
    return;
  }
  base::log_warning(
      "'{}': group '{}' at {} loses {} over the same {} images as {} in a file before it, which "
      "stays",
      source, point.group, point.ratio, point.loss, point.images, other->loss);
}

}  // namespace

const SensitivityPoint* SensitivityStore::find(std::string_view group, double ratio) const {
  const auto place = std::ranges::find_if(points, [&](const SensitivityPoint& point) {
    return point.ratio == ratio && point.group == group;
  });
  return place == points.end() ? nullptr : &*place;
}

void SensitivityStore::add(SensitivityPoint point) {
  const auto place = std::ranges::find_if(points, [&](const SensitivityPoint& other) {
    return other.ratio == point.ratio && other.group == point.group;
  });
  if (place == points.end()) {
    points.push_back(std::move(point));
  } else if (says_more(point, *place)) {
    *place = std::move(point);
  }
}

std::string to_line(const SensitivityPoint& point) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(point.group), point.ratio,
                     point.channels, point.removed, point.metric, point.loss, point.low, point.high,
                     point.divergence, point.images, point.stopped ? 1 : 0);
}

std::string to_text(const SensitivityStore& store) {
  std::string text(kMagic);
  for (const HeaderField& field : kFields) {
    text += fmt::format("# {}: {}\n", field.key, escape_line(field.get(store.header)));
  }
  text += kColumns;
  for (const SensitivityPoint& point : store.points) text += to_line(point);
  return text;
}

SensitivityPoint parse_point(std::string_view line, const std::string& where) {
  const std::vector<std::string> cells = split_csv(line, where);
  if (cells.size() != kNumColumns) {
    damaged(where, fmt::format("{} columns", cells.size()), fmt::format("{}", kNumColumns));
  }
  const auto number = [&](std::size_t column) {
    return parse_number<double>(cells[column], where);
  };
  const auto count = [&](std::size_t column) {
    return parse_number<std::int64_t>(cells[column], where);
  };
  SensitivityPoint point{.group = cells[0],
                         .ratio = number(1),
                         .channels = count(2),
                         .removed = count(3),
                         .metric = number(4),
                         .loss = number(5),
                         .low = number(6),
                         .high = number(7),
                         .divergence = number(8),
                         .images = count(9),
                         .stopped = cells[10] == "1"};
  if (!point.stopped && cells[10] != "0") damaged(where, "'" + cells[10] + "'", "0 or 1");
  check_point(point, where);
  return point;
}

SensitivityStore parse_sensitivities(std::string_view text, const std::string& source) {
  Lines lines(text, source);
  SensitivityStore store{.header = parse_header(lines)};
  while (lines.more()) {
    const std::string_view line = lines.next();
    SensitivityPoint point = parse_point(line, lines.where());
    if (point.images > store.header.images) {
      damaged(lines.where(), fmt::format("{} images", point.images),
              fmt::format("at most the header's {}", store.header.images));
    }
    store.add(std::move(point));
  }
  if (lines.torn()) {
    base::log_warning("'{}': the last line is not whole and is left out", source);
  }
  return store;
}

SensitivityStore load_sensitivities(const fs::path& path) {
  return parse_sensitivities(base::read_file(path, kLargestFile), path.string());
}

void check_same_measurement(const SensitivityHeader& found, const SensitivityHeader& expected,
                            const std::string& source, std::string_view hint) {
  for (const HeaderField& field : kFields) {
    if (!field.compared || field.get(found) == field.get(expected)) continue;
    const bool model = field.key == "model_id";
    throw base::UserError(
        {.what = model ? "the sensitivities belong to another model"
                       : "the sensitivities were measured otherwise",
         .where = source,
         .got = model ? fmt::format("'{}' ({})", found.model, found.model_id)
                      : fmt::format("{} {}", field.key, field.get(found)),
         .expected = model ? fmt::format("'{}' ({})", expected.model, expected.model_id)
                           : field.get(expected),
         .hint = std::string(hint)});
  }
}

SensitivityStore merge_sensitivities(std::span<const fs::path> files) {
  base::check(!files.empty(), "nothing to merge: got no sensitivity files");
  SensitivityStore result = load_sensitivities(files[0]);
  for (const fs::path& file : files.subspan(1)) {
    SensitivityStore next = load_sensitivities(file);
    check_same_measurement(next.header, result.header, file.string());
    for (SensitivityPoint& point : next.points) {
      warn_of_contradiction(result, point, file.string());
      result.add(std::move(point));
    }
  }
  return result;
}

std::map<std::string, prune::LossCurve, std::less<>> to_curves(const SensitivityStore& store) {
  std::map<std::string, prune::LossCurve, std::less<>> curves;
  for (const SensitivityPoint& point : store.points) {
    curves[point.group].points.push_back({.removed = point.share(), .loss = point.loss});
  }
  for (auto& [group, curve] : curves) {
    std::ranges::sort(curve.points, {}, &prune::LossCurve::Point::removed);
    const auto same = [](const auto& left, const auto& right) {
      return left.removed == right.removed;
    };
    const auto rest = std::ranges::unique(curve.points, same);
    curve.points.erase(rest.begin(), rest.end());
  }
  return curves;
}

SensitivityStore load_sensitivities_of(const fs::path& path, std::string_view model_id) {
  SensitivityStore store = load_sensitivities(path);
  if (store.header.model_id != model_id) {
    throw base::UserError(
        {.what = "the sensitivities belong to another model",
         .where = path.string(),
         .got = fmt::format("'{}' ({})", store.header.model, store.header.model_id),
         .expected = fmt::format("a file of the model {}", model_id),
         .hint = "measure this model: espalier sensitivity MODEL --data ..."});
  }
  base::check(!store.points.empty(), "'{}' holds no sensitivities yet", path.string());
  return store;
}

namespace {

/// What the file at `path` holds when it is gone on with; it is made when there is none.
SensitivityStore start_file(const fs::path& path, const SensitivityHeader& header, bool resume) {
  if (!fs::exists(path)) {
    SensitivityStore store{.header = header};
    base::write_file_atomic(path, to_text(store));
    return store;
  }
  if (!resume) {
    throw base::UserError({.what = fmt::format("'{}' exists already", path.string()),
                           .hint = "go on with it by --resume, or choose another file with -o"});
  }
  SensitivityStore store = load_sensitivities(path);
  check_same_measurement(store.header, header, path.string(), "choose another file with -o");
  return store;
}

}  // namespace

SensitivityWriter::SensitivityWriter(const fs::path& path, const SensitivityHeader& header,
                                     bool resume)
    : path_(path), store_(start_file(path, header, resume)), file_(path) {
  const std::string text = base::read_file(path, kLargestFile);
  const std::size_t whole = text.rfind('\n') + 1;  // the header ends with a line feed
  if (whole != text.size()) file_.truncate(whole);
}

void SensitivityWriter::add(const SensitivityPoint& point) {
  file_.append(to_line(point));
  store_.add(point);
}

void SensitivityWriter::finish(const std::vector<std::string>& groups) {
  const auto key = [&](const SensitivityPoint& point) {
    const auto place = std::ranges::find(groups, point.group);
    const std::ptrdiff_t index = place == groups.end() ? -1 : place - groups.begin();
    return std::pair(index, index < 0 ? 0.0 : point.ratio);
  };
  std::ranges::stable_sort(store_.points, {}, key);
  base::write_file_atomic(path_, to_text(store_));
}

}  // namespace espalier::recipe
