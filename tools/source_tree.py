"""What the checks of tools/ share: which files there are, and C++ text without comments."""

import pathlib
import re
import subprocess
import sys

CPP_SUFFIXES = {".h", ".cpp"}


def list_files(root):
    """Files of the project (tracked or new, not ignored) below `root`, relative and sorted."""
    root = pathlib.Path(root)
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command + ["-z"], capture_output=True, check=False)
    if found.returncode == 0:
        names = found.stdout.decode().split("\0")
        files = [pathlib.PurePosixPath(name) for name in names if name and (root / name).is_file()]
    else:
        files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return sorted(set(files), key=str)


def cpp_files(root, *folders):
    """The .h and .cpp files below the given top folders (all when none is given)."""
    return [path for path in list_files(root)
            if path.suffix in CPP_SUFFIXES and (not folders or path.parts[0] in folders)]


def read(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8", errors="replace")


_COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'
    """, re.VERBOSE | re.DOTALL)


def without_comments(text):
    """The text with comments blanked and literals emptied; every line stays on its line."""
    def blank(match):
        found = match.group(0)
        lines = "\n" * found.count("\n")
        if found.startswith("/"):
            return " " + lines
        return ('""' if found[0] in 'R"' else "0") + lines
    return _COMMENT_OR_LITERAL.sub(blank, text)


def without_directives(text):
    """Blanks preprocessor lines (with their continuations), keeping the line count."""
    def blank(match):
        return "\n" * match.group(0).count("\n")
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", blank, text, flags=re.MULTILINE)


def read_exceptions(path):
    """A table "key: reason"; '#' starts a comment line. A key without a reason is an error."""
    table = {}
    if not path.exists():
        return table
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, separator, reason = line.partition(": ")
        if not separator or not reason.strip():
            sys.exit(f"{path}:{number}: expected 'key: reason'")
        table[key.strip()] = reason.strip()
    return table


def stale(exceptions, used, path):
    """Problems for exceptions that nothing needs any more."""
    return [f"{path}: '{key}' is no longer needed: remove the line"
            for key in exceptions if key not in used]


def main(check):
    """Runs `check(root)` for the tree that holds this file (or the one named) and exits 0 or 1."""
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent
    problems = check(root)
    for problem in problems:
        print(problem)
    name = pathlib.Path(sys.argv[0]).name
    print(f"{name}: {len(problems)} problems" if problems else f"{name}: ok")
    sys.exit(1 if problems else 0)
