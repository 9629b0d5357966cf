"""A temporary project tree for tests of the checks."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))
LAYERS = "0 base\n1 tensor\n1 report\n2 ir\n"


def load(name):
    """Imports the script tools/<name> as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(TOOLS / name))
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class TreeTest(unittest.TestCase):
    """Gives each test an empty tree: self.write(path, text), self.root."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("cmake/layers.txt", LAYERS)
        self.write("tools/third_party_headers.txt", "yaml-cpp/: espalier/ir/\nATen/ATen.h:\n")

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def expect(self, problems, *parts):
        """One problem for each part, in order, and no more."""
        self.assertEqual(len(problems), len(parts), problems)
        for problem, part in zip(problems, parts):
            self.assertIn(part, problem)
