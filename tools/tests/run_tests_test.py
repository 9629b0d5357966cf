import json

from scratch_tree import TreeTest, load

run_tests = load("run_tests")
JUNIT = """<?xml version="1.0"?>
<testsuite><testcase name="ir" status="run"/><testcase name="exec" status="fail"/>
<testcase name="demo" status="run"/><testcase name="cli" status="fail"/>
<testcase name="absent" status="notrun"/></testsuite>"""


def case(name, **facts):
    return {"name": name, "status": "RUN", "result": "COMPLETED", **facts}


class RunTests(TreeTest):
    def write_result(self, program, *cases):
        suites = {"testsuites": [{"name": "Suite", "testsuite": list(cases)}]}
        self.write(f"results/{program}.json", json.dumps(suites))

    def count(self):
        total = run_tests.Total()
        failing = run_tests.read_gtest(self.root / "results", total, "dev")
        counted = {path.stem for path in (self.root / "results").glob("*.json")}
        run_tests.read_ctest(self.root / "ctest.xml", counted, failing, total, "dev")
        return total

    def test_cases_programs_and_crashes_are_counted_once(self):
        self.write_result("test_ir", case("good"), case("left_out", result="SKIPPED"),
                          case("DISABLED_x", status="NOTRUN", result="SUPPRESSED"))
        self.write_result("test_exec", case("good"), case("bad", failures=[{"failure": "x"}]))
        self.write("ctest.xml", JUNIT)
        total = self.count()
        self.assertEqual(total.passed, 3)  # two cases and the program without cases
        self.assertEqual(total.skipped, 2)
        self.expect(total.failures, "dev test_exec: Suite.bad", "dev cli: crashed",
                    "dev absent: did not run")

    def test_a_program_that_died_while_it_wrote_fails(self):
        self.write("results/test_exec.json", '{"testsuites": [')
        self.write("ctest.xml", JUNIT)
        self.assertIn("dev exec: crashed", "\n".join(self.count().failures))

    def test_a_program_that_fails_after_good_cases_fails(self):
        self.write_result("test_exec", case("good"))
        self.write("ctest.xml", JUNIT)
        self.assertIn("dev exec: crashed", "\n".join(self.count().failures))
