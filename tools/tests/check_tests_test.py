from scratch_tree import TreeTest, load

check_tests = load("check_tests")
LISTS = "espalier_test(ir SOURCES graph_test.cpp)\n"


class CheckTests(TreeTest):
    def setUp(self):
        super().setUp()
        self.write("espalier/ir/graph.cpp", "")
        self.write("tests/ir/CMakeLists.txt", LISTS)
        self.write("tests/ir/graph_test.cpp", "TEST(Graph, works) {}\n")

    def test_paired_source_passes(self):
        self.expect(check_tests.check(self.root))

    def test_source_without_test_fails(self):
        self.write("espalier/ir/node.cpp", "")
        self.expect(check_tests.check(self.root), "espalier/ir/node.cpp: no tests/ir/node_test.cpp")

    def test_reason_excuses_and_must_be_needed(self):
        self.write("espalier/ir/node.cpp", "")
        self.write("tools/exceptions/tests.txt", "espalier/ir/node.cpp: covered by graph_test\n")
        self.expect(check_tests.check(self.root))
        self.write("tests/ir/node_test.cpp", "TEST(Node, works) {}\n")
        self.write("tests/ir/CMakeLists.txt", LISTS + "node_test.cpp\n")
        self.expect(check_tests.check(self.root), "is no longer needed")

    def test_test_must_be_listed_hold_a_test_and_have_a_source(self):
        self.write("tests/ir/other_test.cpp", "int x;\n")
        self.expect(check_tests.check(self.root), "in no CMakeLists.txt", "holds no test",
                    "there is no espalier/ir/other.cpp")

    def test_sub_folders_mirror(self):
        self.write("espalier/exec/kernels/conv.cpp", "")
        self.expect(check_tests.check(self.root), "no tests/exec/kernels/conv_test.cpp")
        self.write("tests/exec/CMakeLists.txt", "espalier_test(SOURCES kernels/conv_test.cpp)\n")
        self.write("tests/exec/kernels/conv_test.cpp", "TEST(Conv, works) {}\n")
        self.expect(check_tests.check(self.root))
