#include "espalier/train/model_file.h"

#include <array>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/onnx/codec.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/container.h"

namespace espalier::train {
namespace {

constexpr std::uint64_t kVarint = 0;
constexpr std::uint64_t kLength = 2;

/// A field of ONNX's ModelProto and how it is written.
struct Field {
  std::uint64_t number;
  std::uint64_t wire;
};

constexpr std::uint64_t kIrVersion = 1;
constexpr std::uint64_t kGraph = 7;
constexpr std::array<Field, 12> kModelFields = {{{kIrVersion, kVarint},
                                                 {2, kLength},
                                                 {3, kLength},
                                                 {4, kLength},
                                                 {5, kVarint},
                                                 {6, kLength},
                                                 {kGraph, kLength},
                                                 {8, kLength},
                                                 {14, kLength},
                                                 {20, kLength},
                                                 {25, kLength},
                                                 {26, kLength}}};

/// A base-128 number at the front of the bytes, which it removes; nothing when it is cut or longer
/// than 64 bits.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

/// True when every whole field at the top is one of ModelProto and one of them says what a model
/// must: a cut file is still recognized, so that the ONNX reader can say what is wrong with it.
bool looks_like_onnx(std::string_view bytes) {
  bool marked = false;
  while (!bytes.empty()) {
    const std::optional<std::uint64_t> tag = take_varint(bytes);
    if (!tag) break;
    const Field field{.number = *tag >> 3, .wire = *tag & 7};
    bool known = false;
    for (const Field& row : kModelFields) {
      known = known || (row.number == field.number && row.wire == field.wire);
    }
    if (!known) return false;
    const std::optional<std::uint64_t> number = take_varint(bytes);
    if (!number) break;
    marked = marked || field.number == kIrVersion || field.number == kGraph;
    if (field.wire == kLength) bytes.remove_prefix(std::min<std::uint64_t>(*number, bytes.size()));
  }
  return marked;
}

}  // namespace

ModelKind model_kind(std::string_view bytes) {
  if (is_container(bytes)) return ModelKind::Checkpoint;
  return looks_like_onnx(bytes) ? ModelKind::Onnx : ModelKind::Unknown;
}

ir::Graph load_model(const std::filesystem::path& path) {
  const std::string bytes = base::read_file(path);
  switch (model_kind(bytes)) {
    case ModelKind::Checkpoint:
      return decode_checkpoint(bytes, path.string()).graph;
    case ModelKind::Onnx:
      return onnx::decode(bytes, {.folder = path.parent_path().empty() ? "." : path.parent_path(),
                                  .name = path.string()});
    case ModelKind::Unknown:
      break;
  }
  throw base::UserError(
      base::Problem{.what = fmt::format("cannot read the model '{}'", path.string()),
                    .got = bytes.empty() ? "an empty file" : "other content",
                    .expected = "an ONNX file or a checkpoint of Espalier"});
}

}  // namespace espalier::train
