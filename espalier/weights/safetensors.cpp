#include "espalier/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "espalier/base/error.h"
#include "espalier/base/file.h"

namespace espalier::weights {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kLengthBytes = 8;
/// The bound that the format's own reader sets.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxRank = 64;

/// An element type by its name in the format.
struct TypeRow {
  std::string_view name;
  at::ScalarType type;
};

constexpr std::array<TypeRow, 13> kTypes = {{{"F64", at::kDouble},
                                             {"F32", at::kFloat},
                                             {"F16", at::kHalf},
                                             {"BF16", at::kBFloat16},
                                             {"I64", at::kLong},
                                             {"I32", at::kInt},
                                             {"I16", at::kShort},
                                             {"I8", at::kChar},
                                             {"U64", at::kUInt64},
                                             {"U32", at::kUInt32},
                                             {"U16", at::kUInt16},
                                             {"U8", at::kByte},
                                             {"BOOL", at::kBool}}};

/// What the header says about one tensor.
struct Entry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> sizes;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Reads one file; every refusal names it.
class Reader {
 public:
  Reader(std::string_view bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  SafeTensors read() {
    const Json header = parse_header();
    SafeTensors result;
    std::vector<Entry> entries;
    for (const auto& [name, content] : header.items()) {
      if (name == kMetadata) {
        read_metadata(content, result.metadata);
      } else {
        entries.push_back(read_entry(name, content));
      }
    }
    check_layout(entries);
    for (const Entry& entry : entries) result.tensors.emplace(entry.name, copy(entry));
    return result;
  }

 private:
  [[noreturn]] void fail(std::string where, std::string got, std::string expected) const {
    throw base::UserError({.what = fmt::format("cannot read the safetensors '{}'", source_),
                           .where = std::move(where),
                           .got = std::move(got),
                           .expected = std::move(expected)});
  }

  Json parse_header() {
    if (bytes_.size() < kLengthBytes) {
      fail("header length", fmt::format("{} bytes", bytes_.size()), "at least 8");
    }
    std::uint64_t length = 0;
    for (std::size_t index = 0; index < kLengthBytes; ++index) {
      length |= std::uint64_t{static_cast<unsigned char>(bytes_[index])} << (8 * index);
    }
    const std::uint64_t room =
        std::min<std::uint64_t>(bytes_.size() - kLengthBytes, kMaxHeaderBytes);
    if (length > room) {
      fail("header length", fmt::format("{}", length), fmt::format("at most {}", room));
    }
    data_ = bytes_.substr(kLengthBytes + length);
    const std::string_view text = bytes_.substr(kLengthBytes, length);
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (depth > 8) fail("header", "nested lists or objects", "one object a tensor");
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key &&
          !keys.back().insert(parsed.get<std::string>()).second) {
        fail("header", fmt::format("the name '{}' twice", parsed.get<std::string>()),
             "every name once");
      }
      return true;
    };
    try {
      Json header = Json::parse(text, watch);
      if (!header.is_object()) fail("header", header.type_name(), "a JSON object");
      return header;
    } catch (const Json::exception& error) {
      fail("header", error.what(), "a JSON object");
    }
  }

  void read_metadata(const Json& content, std::map<std::string, std::string>& metadata) const {
    if (!content.is_object()) fail("'__metadata__'", content.type_name(), "an object of strings");
    for (const auto& [key, text] : content.items()) {
      if (!text.is_string()) {
        fail(fmt::format("'__metadata__', key '{}'", key), text.type_name(), "a string");
      }
      metadata.emplace(key, text.get<std::string>());
    }
  }

  [[nodiscard]] std::uint64_t read_unsigned(const Json& number, const std::string& where) const {
    if (!number.is_number_unsigned()) fail(where, number.dump(), "an integer of 0 or more");
    return number.get<std::uint64_t>();
  }

  [[nodiscard]] Entry read_entry(const std::string& name, const Json& content) const {
    const std::string where = fmt::format("tensor '{}'", name);
    if (!content.is_object() || content.size() != 3 || !content.contains("dtype") ||
        !content.contains("shape") || !content.contains("data_offsets")) {
      fail(where, content.dump().substr(0, 80), "an object of dtype, shape and data_offsets");
    }
    Entry entry{.name = name, .sizes = {}};
    entry.type = read_type(content["dtype"], where);
    const Json& shape = content["shape"];
    if (!shape.is_array() || shape.size() > kMaxRank) {
      fail(where + ", shape", shape.dump().substr(0, 80), "a list of at most 64 sizes");
    }
    entry.sizes = read_shape(shape, where);
    std::uint64_t total = c10::elementSize(entry.type);
    for (const std::int64_t size : entry.sizes) total *= static_cast<std::uint64_t>(size);
    const Json& offsets = content["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) {
      fail(where + ", data_offsets", offsets.dump().substr(0, 80), "two integers");
    }
    entry.begin = read_unsigned(offsets[0], where + ", data_offsets");
    entry.end = read_unsigned(offsets[1], where + ", data_offsets");
    if (entry.end < entry.begin || entry.end > data_.size()) {
      fail(where + ", data_offsets", offsets.dump(),
           fmt::format("begin <= end <= {}", data_.size()));
    }
    if (entry.end - entry.begin != total) {
      fail(where + ", data_offsets", fmt::format("{} bytes", entry.end - entry.begin),
           fmt::format("{} bytes for its type and shape", total));
    }
    return entry;
  }

  /// Sizes whose product in bytes stays below 2^63, also when one of them is 0.
  [[nodiscard]] std::vector<std::int64_t> read_shape(const Json& shape,
                                                     const std::string& where) const {
    std::vector<std::int64_t> sizes;
    std::int64_t product = 8;
    for (const Json& size : shape) {
      const std::uint64_t count = read_unsigned(size, where + ", shape");
      if (__builtin_mul_overflow(product, std::max<std::uint64_t>(count, 1), &product)) {
        fail(where + ", shape", shape.dump(), "less than 2^63 bytes");
      }
      sizes.push_back(static_cast<std::int64_t>(count));
    }
    return sizes;
  }

  [[nodiscard]] at::ScalarType read_type(const Json& content, const std::string& where) const {
    if (!content.is_string()) fail(where + ", dtype", content.dump().substr(0, 80), "a name");
    const auto name = content.get<std::string>();
    const auto row = std::ranges::find(kTypes, name, &TypeRow::name);
    if (row != kTypes.end()) return row->type;
    std::string known;
    for (const TypeRow& type : kTypes)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", type.name);
    if (name.starts_with("F8") || name.starts_with("F4") || name.starts_with("F6") ||
        name == "C64") {
      throw base::UnsupportedError(
          {.what = fmt::format("cannot read the safetensors '{}'", source_),
           .where = where + ", dtype",
           .got = fmt::format("'{}'", name),
           .expected = known});
    }
    fail(where + ", dtype", fmt::format("'{}'", name), known);
  }

  void check_layout(std::vector<Entry>& entries) const {
    std::vector<const Entry*> ordered;
    for (const Entry& entry : entries) ordered.push_back(&entry);
    std::ranges::sort(ordered, [](const Entry* left, const Entry* right) {
      return std::tie(left->begin, left->end) < std::tie(right->begin, right->end);
    });
    std::uint64_t position = 0;
    for (const Entry* entry : ordered) {
      if (entry->begin != position) {
        fail(fmt::format("tensor '{}', data_offsets", entry->name),
             fmt::format("begin {}", entry->begin),
             fmt::format("{}: tensors follow each other without overlap or hole", position));
      }
      position = entry->end;
    }
    if (position != data_.size()) {
      fail("end of the file", fmt::format("{} bytes of data", data_.size()),
           fmt::format("{} as the header says", position));
    }
  }

  [[nodiscard]] Tensor copy(const Entry& entry) const {
    Tensor tensor = at::empty(entry.sizes, entry.type);
    const std::string_view content = data_.substr(entry.begin, entry.end - entry.begin);
    if (entry.type == at::kBool) {
      const auto odd =
          std::ranges::find_if(content, [](char byte) { return byte != 0 && byte != 1; });
      if (odd != content.end()) {
        fail(fmt::format("tensor '{}'", entry.name), "a BOOL that is neither 0 nor 1", "0 or 1");
      }
    }
    if (!content.empty()) std::memcpy(tensor.mutable_data_ptr(), content.data(), content.size());
    return tensor;
  }

  std::string_view bytes_;
  std::string_view source_;
  std::string_view data_;
};

std::string_view type_name(const std::string& name, const Tensor& tensor) {
  const auto row = std::ranges::find(kTypes, tensor.scalar_type(), &TypeRow::type);
  if (row == kTypes.end()) {
    throw base::UnsupportedError({.what = "cannot write the tensor as safetensors",
                                  .where = fmt::format("tensor '{}'", name),
                                  .got = c10::toString(tensor.scalar_type())});
  }
  return row->name;
}

}  // namespace

std::string encode_safetensors(const TensorMap& tensors,
                               const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  std::vector<Tensor> ordered;
  std::uint64_t position = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata) {
      throw base::UserError({.what = "cannot write the tensor as safetensors",
                             .got = "the name '__metadata__'",
                             .expected = "any other: the format reserves it"});
    }
    ordered.push_back(tensor.detach().to(at::kCPU).contiguous());
    const std::uint64_t end = position + ordered.back().nbytes();
    header[name] = {{"dtype", type_name(name, tensor)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    throw base::UserError(base::Problem{.what = "cannot write the tensors as safetensors",
                                        .got = "a name that is not UTF-8"});
  }
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  std::string bytes;
  bytes.reserve(kLengthBytes + text.size() + position);
  for (std::size_t index = 0; index < kLengthBytes; ++index) {
    bytes.push_back(static_cast<char>(text.size() >> (8 * index)));
  }
  bytes += text;
  for (const Tensor& tensor : ordered) {
    bytes.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  }
  return bytes;
}

SafeTensors decode_safetensors(std::string_view bytes, std::string_view source) {
  return Reader(bytes, source).read();
}

SafeTensors read_safetensors(const std::filesystem::path& path) {
  return decode_safetensors(base::read_file(path), path.string());
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  base::write_file_atomic(path, encode_safetensors(tensors, metadata));
}

}  // namespace espalier::weights
