#include "espalier/data/transforms/to_chw_image.h"

#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

class ToChwImage : public Transform {
 public:
  [[nodiscard]] Layout layout_after(Layout layout) const override {
    require_hwc(layout, "ToCHWImage");
    return Layout::Chw;
  }

  void apply(Image& /*image*/, base::Random& /*random*/) const override {}
};

}  // namespace

std::unique_ptr<const Transform> make_to_chw_image(ParameterReader& /*parameters*/) {
  return std::make_unique<ToChwImage>();
}

}  // namespace espalier::data
