from scratch_tree import TreeTest, load

check_headers = load("check_headers")


class CheckHeaders(TreeTest):
    def setUp(self):
        super().setUp()
        self.write("espalier/ir/CMakeLists.txt", "espalier_library(ir SOURCES a.cpp HEADERS a.h)\n")
        self.write("espalier/ir/a.h", "#pragma once\n")
        self.write("espalier/ir/a.cpp", '#include "espalier/ir/a.h"\n\n#include <vector>\n')

    def test_sound_folder_passes(self):
        self.expect(check_headers.check(self.root))

    def test_file_must_be_owned(self):
        self.write("espalier/ir/ba.h", "#pragma once\n")
        self.expect(check_headers.check(self.root), "espalier/ir/ba.h: in no CMakeLists.txt")

    def test_headers_of_tests_need_no_owner(self):
        self.write("tests/ir/CMakeLists.txt", "espalier_test(ir SOURCES a_test.cpp)\n")
        self.write("tests/ir/a_test.cpp", '#include "espalier/ir/a.h"\n')
        self.write("tests/ir/nets.h", "#pragma once\n")
        self.expect(check_headers.check(self.root))
        self.write("tests/ir/b_test.cpp", "")
        self.expect(check_headers.check(self.root), "tests/ir/b_test.cpp: in no CMakeLists.txt")

    def test_a_comment_does_not_own(self):
        self.write("espalier/ir/CMakeLists.txt", "espalier_library(ir SOURCES a.cpp) # a.h\n")
        self.expect(check_headers.check(self.root), "espalier/ir/a.h: in no CMakeLists.txt")

    def test_pragma_once_and_using_namespace(self):
        self.write("espalier/ir/a.h", "// #pragma once\nusing namespace std;\n")
        self.expect(check_headers.check(self.root), "no '#pragma once'", "'using namespace'")

    def test_own_header_comes_first(self):
        self.write("espalier/ir/a.cpp", '#include <vector>\n#include "espalier/ir/a.h"\n')
        self.expect(check_headers.check(self.root), "includes 'vector' first")
