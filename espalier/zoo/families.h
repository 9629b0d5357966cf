#pragma once

#include "espalier/ir/graph.h"
#include "espalier/zoo/table.h"

/// One function a family, with every option already filled in and checked by build().
namespace espalier::zoo {

[[nodiscard]] ir::Graph fashion_cnn(const ZooOptions& options);
[[nodiscard]] ir::Graph resnet20(const ZooOptions& options);
[[nodiscard]] ir::Graph mobilenet_v1(const ZooOptions& options);
[[nodiscard]] ir::Graph mobilenet_v2(const ZooOptions& options);
[[nodiscard]] ir::Graph resnet18(const ZooOptions& options);
[[nodiscard]] ir::Graph resnet34(const ZooOptions& options);
[[nodiscard]] ir::Graph resnet50(const ZooOptions& options);

}  // namespace espalier::zoo
