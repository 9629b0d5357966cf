from scratch_tree import TreeTest, load

check_registration = load("check_registration")

SOUND = """
namespace espalier::ir {
namespace {
constexpr int kLimit = 3;
const std::vector<Row> kRows{{1, "a"}, {2, "b"}};
constexpr std::string_view kName = "x";
inline constexpr const char* kText = "x";
using Map = std::map<int, int>;
static const Table& table();
struct Point { int x = 0; static int count; };
enum class Kind { A, B };
}  // namespace
class Node;
int add(int a, int b);
int add(int a, int b) { static int calls = 0; return a + b + ++calls; }
template <typename T> void apply(T t);
bool operator==(const Point& a, const Point& b) = default;
extern template class Box<int>;
static_assert(kLimit == 3);
}  // namespace espalier::ir
"""


class CheckRegistration(TreeTest):
    def check_text(self, text):
        self.write("espalier/ir/a.cpp", text)
        return check_registration.check(self.root)

    def test_declarations_and_tables_pass(self):
        self.expect(self.check_text(SOUND))

    def test_registering_static_fails(self):
        text = "namespace a {\nstatic const bool kDone = register_op(make);\n}\n"
        self.expect(self.check_text(text), "a.cpp:2: 'kDone' registers something")
        self.expect(self.check_text("REGISTER_OPERATOR(Conv, make_conv);\n"), "by a macro")
        text = "const Registrar kConv{make};\nconst int x = Registrar(f).id;\n"
        self.expect(self.check_text(text), "'x' registers")

    def test_mutable_globals_fail(self):
        self.expect(self.check_text("int counter = 0;\nstatic std::vector<int> list;\n"
                                    "thread_local Cache cache{1};\nconst char* name = \"x\";\n"),
                    "'counter' is a mutable", "'list' is", "'cache' is", "'name' is")

    def test_constructor_attribute_fails(self):
        self.expect(self.check_text("__attribute__((constructor)) void start() {}\n"),
                    "runs before main")

    def test_exception_is_by_name(self):
        self.write("tools/exceptions/registration.txt", "espalier/ir/a.cpp counter: why\n")
        self.expect(self.check_text("int counter = 0;\nint other = 0;\n"), "'other' is a mutable")
