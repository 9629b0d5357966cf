#include "espalier/train/container.h"

#include <algorithm>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/checksum.h"

namespace espalier::train {
namespace {

constexpr std::string_view kMagic(
    "\x89"
    "ESPA\r\n\x1A",
    8);
constexpr std::size_t kFixedBytes = 24;
constexpr std::size_t kRowBytes = 40;
constexpr std::size_t kNameBytes = 16;
constexpr std::size_t kAlignment = 8;
constexpr std::uint32_t kMaxSections = 64;

std::size_t padded(std::size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t header_bytes(std::size_t count) {
  return kFixedBytes + count * kRowBytes + 8;
}

template <typename Number>
void put(std::string& bytes, Number number) {
  for (std::size_t index = 0; index < sizeof(Number); ++index) {
    bytes.push_back(static_cast<char>(number >> (8 * index)));
  }
}

template <typename Number>
Number get(std::string_view bytes, std::size_t place) {
  Number number = 0;
  for (std::size_t index = 0; index < sizeof(Number); ++index) {
    const auto byte = static_cast<unsigned char>(bytes[place + index]);
    number = static_cast<Number>(number | (Number{byte} << (8 * index)));
  }
  return number;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytes &&
         std::ranges::all_of(name, [](char letter) { return letter > ' ' && letter < 0x7F; });
}

/// Reads one container; every refusal names it.
class ContainerReader {
 public:
  ContainerReader(std::string_view bytes, std::string_view source)
      : bytes_(bytes), source_(source) {}

  Container read() {
    const std::uint32_t count = check_fixed_part();
    Container container{.version = get<std::uint32_t>(bytes_, 8), .sections = {}};
    std::size_t position = header_bytes(count);
    for (std::uint32_t index = 0; index < count; ++index) {
      const std::size_t row = kFixedBytes + index * kRowBytes;
      std::string_view name = bytes_.substr(row, kNameBytes);
      name = name.substr(0, name.find_last_not_of('\0') + 1);
      const auto offset = get<std::uint64_t>(bytes_, row + kNameBytes);
      const auto size = get<std::uint64_t>(bytes_, row + kNameBytes + 8);
      const std::uint64_t room = bytes_.size() - position;
      if (!is_name(name) || offset != position || size > room || padded(size) > room) {
        fail("table of sections",
             fmt::format("row {} with offset {}, size {}", index, offset, size),
             fmt::format("offset {} and a size up to {}", position, room));
      }
      const std::string_view content = bytes_.substr(offset, size);
      check_content(name, content, get<std::uint32_t>(bytes_, row + kNameBytes + 16));
      check_padding(name, bytes_.substr(offset + size, padded(size) - size));
      if (!container.sections.emplace(name, content).second) {
        fail("table of sections", fmt::format("'{}' twice", name), "every section once");
      }
      position += padded(size);
    }
    if (position != bytes_.size()) {
      fail("end of the file", fmt::format("{} bytes", bytes_.size()), fmt::format("{}", position));
    }
    return container;
  }

 private:
  [[noreturn]] void fail(std::string where, std::string got, std::string expected) const {
    throw base::UserError({.what = fmt::format("cannot read the checkpoint '{}'", source_),
                           .where = std::move(where),
                           .got = std::move(got),
                           .expected = std::move(expected),
                           .hint = "the file is damaged or was not written completely"});
  }

  std::uint32_t check_fixed_part() const {
    if (!is_container(bytes_)) fail("magic number", "other bytes", "a file that Espalier wrote");
    if (bytes_.size() < kFixedBytes) fail("header", fmt::format("{} bytes", bytes_.size()), "more");
    const auto version = get<std::uint32_t>(bytes_, 8);
    const auto count = get<std::uint32_t>(bytes_, 12);
    const bool whole = count <= kMaxSections && bytes_.size() >= header_bytes(count);
    const std::size_t end = header_bytes(count) - 8;
    if (!whole || get<std::uint32_t>(bytes_, end) != base::crc32c(bytes_.substr(0, end)) ||
        get<std::uint32_t>(bytes_, end + 4) != 0) {
      fail("header", "a wrong checksum", "an unchanged header");
    }
    if (version == 0 || version > kContainerVersion) {
      throw base::UserError({.what = fmt::format("cannot read the checkpoint '{}'", source_),
                             .got = fmt::format("format version {}", version),
                             .expected = fmt::format("1 to {}", kContainerVersion),
                             .hint = "a later Espalier wrote it: update this one"});
    }
    const auto size = get<std::uint64_t>(bytes_, 16);
    if (size != bytes_.size()) {
      fail("size of the file", fmt::format("{} bytes", bytes_.size()), fmt::format("{}", size));
    }
    return count;
  }

  void check_content(std::string_view name, std::string_view content, std::uint32_t sum) const {
    if (base::crc32c(content) == sum) return;
    fail(fmt::format("section '{}'", name), "a wrong checksum", "unchanged bytes");
  }

  void check_padding(std::string_view name, std::string_view padding) const {
    if (padding.find_first_not_of('\0') == std::string_view::npos) return;
    fail(fmt::format("section '{}'", name), "changed padding", "zeros");
  }

  std::string_view bytes_;
  std::string_view source_;
};

}  // namespace

bool is_container(std::string_view bytes) {
  return bytes.starts_with(kMagic);
}

std::string encode_container(const std::vector<Section>& sections) {
  std::size_t total = header_bytes(sections.size());
  for (const Section& section : sections) total += padded(section.bytes.size());
  std::string bytes;
  bytes.reserve(total);
  bytes += kMagic;
  put(bytes, kContainerVersion);
  put(bytes, static_cast<std::uint32_t>(sections.size()));
  put(bytes, std::uint64_t{total});
  std::size_t position = header_bytes(sections.size());
  for (const Section& section : sections) {
    base::invariant(is_name(section.name), "'{}' cannot name a section", section.name);
    bytes += section.name;
    bytes.append(kNameBytes - section.name.size(), '\0');
    put(bytes, std::uint64_t{position});
    put(bytes, std::uint64_t{section.bytes.size()});
    put(bytes, base::crc32c(section.bytes));
    put(bytes, std::uint32_t{0});
    position += padded(section.bytes.size());
  }
  put(bytes, base::crc32c(bytes));
  put(bytes, std::uint32_t{0});
  for (const Section& section : sections) {
    bytes += section.bytes;
    bytes.append(padded(section.bytes.size()) - section.bytes.size(), '\0');
  }
  return bytes;
}

Container decode_container(std::string_view bytes, std::string_view source) {
  return ContainerReader(bytes, source).read();
}

}  // namespace espalier::train
