import pathlib
import zipfile

from scratch_tree import TreeTest, load

unpack_wheel = load("unpack_wheel")


class UnpackWheel(TreeTest):
    def make_wheel(self, *names):
        path = self.root / "thing-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, name)
        return path

    def unpack(self, wheel, *skip):
        target = self.root / "out"
        unpack_wheel.unpack(wheel, target, [("thing/lib", "lib")], skip)
        return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())

    def test_takes_folders_and_licences_only(self):
        wheel = self.make_wheel("thing/lib/a.so", "thing/lib/deep/b.so", "thing/__init__.py",
                                "thing-1.0.dist-info/licenses/LICENSE",
                                "thing-1.0.dist-info/RECORD")
        self.assertEqual(self.unpack(wheel),
                         ["lib/a.so", "lib/deep/b.so", "licenses/thing/licenses/LICENSE"])

    def test_skips_patterns(self):
        wheel = self.make_wheel("thing/lib/a.so", "thing/lib/libpython.so")
        self.assertEqual(self.unpack(wheel, "libpython*"), ["lib/a.so"])

    def test_refuses_paths_that_leave_the_folder(self):
        wheel = self.make_wheel("thing/lib/../../../evil", "/thing/lib/evil", "thing/lib/good")
        self.assertEqual(self.unpack(wheel), ["lib/good"])
        self.assertFalse((self.root / "evil").exists())
        self.assertFalse(pathlib.Path("/thing").exists())
