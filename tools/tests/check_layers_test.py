from scratch_tree import TreeTest, load

check_layers = load("check_layers")


class CheckLayers(TreeTest):
    def test_downward_include_passes(self):
        self.write("espalier/ir/graph.h", '#include "espalier/base/error.h"\n'
                   "namespace espalier::ir {\n}\nnamespace espalier::ir::detail {}\n")
        self.write("espalier/ir/CMakeLists.txt", "espalier_library(ir SOURCES DEPS base)\n")
        self.expect(check_layers.check(self.root))

    def test_upward_and_sideways_includes_fail(self):
        self.write("espalier/base/error.h", '#include "espalier/ir/graph.h"\n')
        self.write("espalier/tensor/shape.h", '  # include "espalier/report/html.h"\n')
        self.expect(check_layers.check(self.root), "espalier/base (level 0) may not use",
                    "espalier/tensor (level 1) may not use espalier/report (level 1)")

    def test_unknown_folders_fail(self):
        self.write("espalier/extra/x.h", "")
        self.write("espalier/ir/y.h", '#include "espalier/nowhere/x.h"\n')
        self.expect(check_layers.check(self.root), "folder 'extra' is not in cmake/layers.txt",
                    "cmake/layers.txt does not have")

    def test_dependency_must_be_declared_but_may_be_indirect(self):
        self.write("espalier/tensor/CMakeLists.txt", "espalier_library(tensor DEPS base)\n")
        self.write("espalier/ir/CMakeLists.txt",
                   "# DEPS base\nespalier_library(ir DEPS tensor LINKS fmt::fmt)\n")
        self.write("espalier/ir/a.h", '#include "espalier/base/error.h"\n')
        self.write("espalier/tensor/b.h", '#include "espalier/base/error.h"\n')
        self.write("espalier/base/error.cpp", "")
        self.expect(check_layers.check(self.root))
        self.write("espalier/tensor/CMakeLists.txt", "espalier_library(tensor)\n")
        self.expect(check_layers.check(self.root), "espalier/ir/CMakeLists.txt has no DEPS base",
                    "espalier/tensor/CMakeLists.txt has no DEPS base")

    def test_headers_without_a_source_need_no_linking(self):
        self.write("espalier/ir/CMakeLists.txt", "espalier_library(ir)\n")
        self.write("espalier/ir/a.h", '#include "espalier/base/check.h"\n')
        self.expect(check_layers.check(self.root))
        self.write("espalier/base/check.cpp", "")
        self.expect(check_layers.check(self.root), "has no DEPS base")

    def test_third_party_headers_stay_in_their_place(self):
        self.write("espalier/ir/a.cpp", "#include <yaml-cpp/yaml.h>\n")
        self.write("espalier/base/a.cpp", "#include <yaml-cpp/yaml.h>\n")
        self.write("espalier/tensor/a.cpp", "#include <ATen/ATen.h>\n")
        self.expect(check_layers.check(self.root), "allowed in: espalier/ir/",
                    "allowed in: nowhere")

    def test_namespace_must_match_the_path(self):
        self.write("espalier/ir/a.h", "namespace espalier::base {\n}\n"
                   "// namespace espalier::tensor {\nnamespace espalier::irregular {}\n")
        self.expect(check_layers.check(self.root), "espalier::base, expected espalier::ir",
                    "espalier::irregular, expected")

    def test_relative_include_fails(self):
        self.write("espalier/ir/a.cpp", '#include "graph.h"\n')
        self.expect(check_layers.check(self.root), "write the path from the root")

    def test_exception_needs_a_use(self):
        self.write("espalier/tensor/tensor.h", "namespace espalier {\n}\n")
        self.write("tools/exceptions/layers.txt", "espalier/tensor/tensor.h: alias for all\n")
        self.expect(check_layers.check(self.root))
        self.write("espalier/tensor/tensor.h", "")
        self.expect(check_layers.check(self.root), "is no longer needed")
