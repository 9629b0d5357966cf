from scratch_tree import TreeTest, load

check_words = load("check_words")


class CheckWords(TreeTest):
    def test_vague_names(self):
        self.write("espalier/ir/graph_utils.cpp", "")
        self.write("espalier/common/x.h", "#pragma once\n")
        self.write("espalier/ir/utilization.cpp", "")
        self.expect(check_words.check(self.root), "'common' says nothing", "'utils' says nothing")

    def test_words_in_text(self):
        self.write("docs/a.md", "fine\nTODO later\nsee /home/me/x\n/tmp/out\n"
                   "get it from files.python" + "hosted.org\n")
        self.expect(check_words.check(self.root), "a.md:2: 'TODO'", "a.md:3: '/home/m'",
                    "a.md:4: '/tmp/o'", "a.md:5: 'python" + "hosted.org'")

    def test_similar_text_passes(self):
        self.write("docs/a.md", "mastodonTODOs, ~/build/x, src/tmp.x, a todo list\n")
        self.expect(check_words.check(self.root))

    def test_switches_and_macros(self):
        self.write("espalier/ir/a.cpp", "#ifdef X\n#endif\n" + "#define A 1\n" * 6)
        self.write("espalier/deploy/modules/a.cpp", "#ifdef X\n#endif\n")
        self.write("espalier/exec/kernels/simd/a.cpp", "#if X\n#define Y\n#endif\n")
        self.expect(check_words.check(self.root), "a.cpp:1: conditional compilation", "6 macros")
