// The calibration cache: little-endian binary with a checksum at the end.
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/checksum.h"
#include "espalier/quant/calibrate.h"

namespace espalier::quant {
namespace {

constexpr std::string_view kMagic = "espalier-statistics-1\n";
constexpr std::size_t kMaxNameBytes = std::size_t{1} << 20;
static_assert(std::endian::native == std::endian::little);

class Writer {
 public:
  template <typename Number>
  void number(Number value) {
    char raw[sizeof(Number)];
    std::memcpy(raw, &value, sizeof(Number));
    bytes_.append(raw, sizeof(Number));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint64_t>(value.size()));
    bytes_.append(value);
  }
  template <typename Number>
  void list(const std::vector<Number>& values) {
    number(static_cast<std::uint64_t>(values.size()));
    for (const Number value : values) number(value);
  }
  std::string bytes_;
};

class Reader {
 public:
  Reader(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  [[noreturn]] void fail(std::string got) const {
    throw base::UserError({.what = "cannot read calibration statistics",
                           .where = std::string(where_),
                           .got = std::move(got),
                           .expected = "a file that Espalier wrote",
                           .hint = "calibrate again"});
  }
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - position_)
      fail(fmt::format("the end after {} bytes", bytes_.size()));
    const std::string_view part = bytes_.substr(position_, size);
    position_ += size;
    return part;
  }
  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(Number)).data(), sizeof(Number));
    return value;
  }
  std::string text() {
    const auto size = number<std::uint64_t>();
    if (size > kMaxNameBytes) fail(fmt::format("a name of {} bytes", size));
    return std::string(take(size));
  }
  template <typename Number>
  std::vector<Number> list() {
    const auto size = number<std::uint64_t>();
    if (size > (bytes_.size() - position_) / sizeof(Number)) {
      fail(fmt::format("a list of {} numbers in {} bytes", size, bytes_.size() - position_));
    }
    std::vector<Number> values(size);
    const std::string_view bytes = take(size * sizeof(Number));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  [[nodiscard]] bool done() const { return position_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::string_view where_;
  std::size_t position_ = 0;
};

void write_value(Writer& writer, const ValueStatistics& value) {
  const Histogram::State state = value.histogram.state();
  writer.number(static_cast<std::int32_t>(state.exponent));
  writer.number(state.min);
  writer.number(state.max);
  writer.number(state.zeros);
  writer.number(state.nans);
  writer.number(state.infinities);
  writer.list(state.positive);
  writer.list(state.negative);
  writer.number(value.sum_of_minima);
  writer.number(value.sum_of_maxima);
  writer.number(value.sum_of_magnitudes);
  writer.number(value.samples);
}

ValueStatistics read_value(Reader& reader) {
  Histogram::State state;
  state.exponent = reader.number<std::int32_t>();
  state.min = reader.number<float>();
  state.max = reader.number<float>();
  state.zeros = reader.number<std::uint64_t>();
  state.nans = reader.number<std::uint64_t>();
  state.infinities = reader.number<std::uint64_t>();
  state.positive = reader.list<std::uint64_t>();
  state.negative = reader.list<std::uint64_t>();
  ValueStatistics value;
  value.histogram = Histogram::from_state(state);
  value.sum_of_minima = reader.number<double>();
  value.sum_of_maxima = reader.number<double>();
  value.sum_of_magnitudes = reader.number<double>();
  value.samples = reader.number<std::uint64_t>();
  return value;
}

}  // namespace

std::string to_bytes(const Statistics& statistics) {
  Writer writer;
  writer.bytes_ = kMagic;
  writer.text(statistics.model_id);
  writer.number(static_cast<std::uint64_t>(statistics.samples));
  writer.number(static_cast<std::uint64_t>(statistics.micro_batch));
  writer.number(static_cast<std::uint64_t>(statistics.values.size()));
  for (const auto& [name, value] : statistics.values) {
    writer.text(name);
    write_value(writer, value);
  }
  writer.number(static_cast<std::uint64_t>(statistics.channels.size()));
  for (const auto& [name, moments] : statistics.channels) {
    writer.text(name);
    writer.list(moments.mean);
    writer.list(moments.mean_square);
  }
  writer.number(base::crc32c(writer.bytes_));
  return writer.bytes_;
}

Statistics statistics_from_bytes(std::string_view bytes, std::string_view where) {
  Reader reader(bytes, where);
  if (!bytes.starts_with(kMagic)) reader.fail("other content");
  if (bytes.size() < kMagic.size() + sizeof(std::uint32_t)) reader.fail("the end after the name");
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(std::uint32_t));
  Reader tail(bytes.substr(body.size()), where);
  if (tail.number<std::uint32_t>() != base::crc32c(body)) reader.fail("a wrong checksum");
  Reader content(body.substr(kMagic.size()), where);
  Statistics statistics;
  statistics.model_id = content.text();
  statistics.samples = content.number<std::uint64_t>();
  statistics.micro_batch = content.number<std::uint64_t>();
  for (auto count = content.number<std::uint64_t>(); count > 0; --count) {
    std::string name = content.text();
    statistics.values[std::move(name)] = read_value(content);
  }
  for (auto count = content.number<std::uint64_t>(); count > 0; --count) {
    std::string name = content.text();
    ChannelMoments moments;
    moments.mean = content.list<double>();
    moments.mean_square = content.list<double>();
    statistics.channels[std::move(name)] = std::move(moments);
  }
  if (!content.done()) content.fail("bytes after the end");
  return statistics;
}

}  // namespace espalier::quant
