// Feeds bytes to the reader of image lists. The first byte chooses delimiter, classes and policy.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "espalier/base/error.h"
#include "espalier/data/image_list.h"

namespace {

using espalier::data::BadSamples;
using espalier::data::ImageList;

/// What every list that was read must hold.
void check(const ImageList& list, std::int64_t num_classes) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string_view path = list.path(i);
    const bool good_label = list.label(i) >= 0 && (num_classes == 0 || list.label(i) < num_classes);
    if (path.empty() || path.front() == '/' || !good_label || list.place(i).empty()) std::abort();
    if (path == ".." || path.starts_with("../")) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::int64_t num_classes = (data[0] & 1) != 0 ? 10 : 0;
  try {
    ImageList list =
        ImageList::parse(text, "list.txt",
                         {.delimiter = (data[0] & 2) != 0 ? "\t" : " ",
                          .num_classes = num_classes,
                          .policy = (data[0] & 4) != 0 ? BadSamples::Skip : BadSamples::Error});
    check(list, num_classes);
    if (list.size() > 1) {
      const std::size_t before = list.size();
      list.remove({0});
      if (list.size() != before - 1) std::abort();
      check(list, num_classes);
    }
  } catch (const espalier::base::UserError&) {
    // Bad lists are refused with a message; anything else ends the program.
  }
  return 0;
}
