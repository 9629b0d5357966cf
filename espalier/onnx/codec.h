#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// Operator sets of ONNX's own domain that can be read, and those that can be written.
inline constexpr std::int64_t kOldestReadOpset = 1;
inline constexpr std::int64_t kOldestOpset = 13;
inline constexpr std::int64_t kNewestOpset = 23;
inline constexpr std::int64_t kDefaultOpset = 17;

struct DecodeOptions {
  /// Folder of the external data files; empty: a model with external data is refused.
  std::filesystem::path folder = {};
  /// What the model is called in messages.
  std::string name = "model";
  /// Infer the types of all values; off only for tools that want the file as it is.
  bool infer_shapes = true;
};

/// The graph of an ONNX file's bytes. Opsets 7..23 are read, and 1..6 as far as the operators of
/// CNNs have a counterpart; below 13 the graph is upgraded to 17,
/// so operators have the forms of opset 13..23 and `opsets[""]` tells which. Constant nodes and
/// Identity of an initializer become plain initializers. Operators that Espalier or the ONNX
/// library does not know stay as nodes that only move through (ops::find is null); what their
/// subgraphs capture is listed behind their inputs, named by the attribute kCapturedNames.
/// Constants that no tensor can hold (strings, 4-bit integers) stay Constant nodes.
/// Documentation of single nodes, annotations and training graphs are dropped.
/// Throws UserError for a broken file and UnsupportedError for a valid one beyond the above.
[[nodiscard]] ir::Graph decode(std::string_view bytes, const DecodeOptions& options = {});

/// decode() of a file. External data files are looked for inside the file's folder only.
[[nodiscard]] ir::Graph load(const std::filesystem::path& path);

/// The bytes of a file that need no other file: as they are, or with the initializers that lie in
/// external data files moved in. Throws as load() does, and UnsupportedError above 2 GB.
[[nodiscard]] std::string load_bytes(const std::filesystem::path& path);

/// What a file says before anything of it is converted.
struct FileFacts {
  std::map<std::string, std::int64_t> opsets;  ///< by domain; "" is ONNX's own
  /// Every node of the main graph has a name of its own. Where not, decode() makes names up, which
  /// an engine that reads the file does not know.
  bool nodes_are_named = true;
};
/// Throws UserError for bytes that are no ONNX file.
[[nodiscard]] FileFacts file_facts(std::string_view bytes);

struct EncodeOptions {
  /// Opset of ONNX's domain, 13..23; the graph is converted. UnsupportedError names the node that
  /// cannot be expressed and the lowest opset that works.
  std::int64_t opset = kDefaultOpset;
  /// save() only: constants beyond this many bytes together go to `<file>.data` beside the file.
  std::uint64_t inline_limit = std::uint64_t{2000} << 20;
};

/// The bytes of an ONNX file; equal graphs give equal bytes, and encode(decode(x)) is a fixed point
/// of decoding and encoding. Throws UnsupportedError above 2 GB.
[[nodiscard]] std::string encode(const ir::Graph& graph, const EncodeOptions& options = {});

/// Writes the file atomically (and the data file beside it, before it).
void save(const ir::Graph& graph, const std::filesystem::path& path,
          const EncodeOptions& options = {});

/// Attribute of nodes with subgraphs: names, inside the subgraphs, of the trailing inputs.
inline constexpr std::string_view kCapturedNames = "espalier:captured";

}  // namespace espalier::onnx
