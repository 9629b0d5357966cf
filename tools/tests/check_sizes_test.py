from scratch_tree import TreeTest, load

check_sizes = load("check_sizes")


def function(lines, body="  work();\n", head="void act() {\n"):
    return head + body * lines + "}\n"


class CheckSizes(TreeTest):
    def check_text(self, text, name="espalier/ir/a.cpp"):
        return check_sizes.check_text(name, text)

    def test_limits_of_files_and_lines(self):
        self.expect(self.check_text("int x;\n" * 600))
        self.expect(self.check_text("int x;\n" * 601), "601 lines")
        self.expect(self.check_text("x" * 100 + "\n"))
        self.expect(self.check_text("\n" + "x" * 101 + "\n"), "a.cpp:2: 101 columns")

    def test_limit_of_functions(self):
        self.expect(self.check_text(function(58)))
        self.expect(self.check_text(function(59)), "act has 61 lines, at most 60")

    def test_tables_and_tests_may_be_longer(self):
        table = function(90, '    case 1:\n', "int pick(int x) {\n")
        self.expect(self.check_text(table))
        self.expect(self.check_text(function(70, head="TEST(Suite, name) {\n")))
        self.expect(self.check_text(function(80, head="TEST(Suite, name) {\n")),
                    "TEST(Suite, name) has 82 lines, at most 80")

    def test_parameters_are_counted(self):
        six = "void f(int a, std::map<int, int> b, int c, int d, int e, X g = X(1, 2)) {\n}\n"
        self.expect(self.check_text(six))
        self.expect(self.check_text(six.replace("int a", "int z, int a")), "f has 7 parameters")

    def test_text_in_comments_and_strings_does_not_count(self):
        text = 'void f() {\n  call("}");  // }\n  /* } */\n' + "  g('}');\n" * 57 + "}\n"
        self.expect(self.check_text(text), "f has 61 lines")

    def test_methods_and_constructors_are_found(self):
        head = "class A {\n public:\n  A() : x_{1}, y_(2) {\n"
        self.expect(self.check_text(function(60, head=head) + "};\n"), "A has 62 lines")
        head = ("namespace a {\nstruct B {\n  template <typename T>\n"
                "  bool operator==(T t) const {\n")
        self.expect(self.check_text(function(60, head=head) + "};\n}\n"), "operator== has 63 lines")

    def test_lambda_tables_and_enums_are_no_functions(self):
        table = "const std::vector<Row> kRows{\n" + "  {1, f(2)},\n" * 80 + "};\n"
        self.expect(self.check_text(table + "enum class Kind {\n" + "  A,\n" * 80 + "};\n"))

    def test_the_tree_is_walked(self):
        self.write("espalier/ir/a.cpp", "x" * 120 + "\n")
        self.write("tests/data/golden.txt", "x" * 120 + "\n")
        self.expect(check_sizes.check(self.root), "espalier/ir/a.cpp:1: 120 columns")
