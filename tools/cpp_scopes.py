"""Finds functions and namespace-scope statements in C++ text by its braces; no parser, but exact
enough for code that clang-format has laid out."""

import dataclasses
import re

from source_tree import without_comments, without_directives


@dataclasses.dataclass
class Function:
    name: str
    line: int        # of the first line of its declaration
    lines: int       # from there to the closing brace
    parameters: int
    body: str


@dataclasses.dataclass
class Statement:
    text: str        # white space folded
    line: int


_TYPE_SCOPE = re.compile(r"\b(namespace|class|struct|union|extern \"\")\b")
_ACCESS = re.compile(r"(^|[;{}\s])(public|private|protected)\s*$")
_FUNCTION = re.compile(r"([~\w]+|operator\s*\S+?)\s*\(")


def _matching(text, start, opening, closing):
    """Index of the bracket that closes the one at `start`; the end of the text when none does."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == closing:
            depth -= 1
            if depth == 0:
                return index
    return len(text)


def _kind(head):
    """What a '{' after `head` opens: 'scope', 'enum', 'function' or 'value'."""
    if re.search(r"\benum\b", head):
        return "enum"
    declarator = re.sub(r"\btemplate\s*<.*?>\s*(?=\w)", "", head)
    before_parameters = declarator.split("(")[0]
    if _TYPE_SCOPE.search(before_parameters) and not re.search(r"[=)]", declarator.split("{")[0]):
        return "scope"
    if re.search(r"\b(namespace|class|struct|union)\b[^()=]*$", declarator):
        return "scope"
    before_parameters = re.sub(r"operator\s*\S+", "", before_parameters)
    if "(" in head and not re.search(r"(?<![=!<>])=(?!=)", before_parameters):
        return "function"
    return "value"


def count_parameters(head):
    """Parameters in the first parenthesis that follows the function's name."""
    match = _FUNCTION.search(head)
    if not match:
        return 0
    start = match.end() - 1
    inside = head[start + 1:_matching(head, start, "(", ")")]
    if not inside.strip() or inside.strip() == "void":
        return 0
    depth = 0
    count = 1
    for character in inside:
        depth += character in "([{<"
        depth -= character in ")]}>"
        count += character == "," and depth == 0
    return count


def scan(text):
    """(functions, statements at namespace or class scope) of a source file."""
    text = without_directives(without_comments(text))
    functions, statements = [], []
    start = index = 0
    while index < len(text):
        character = text[index]
        if character == "(":
            index = _matching(text, index, "(", ")")
        elif character == ";":
            _add_statement(statements, text, start, index)
            start = index + 1
        elif character == "}":
            start = index + 1
        elif character == ":" and _ACCESS.search(text[start:index]):
            start = index + 1
        elif character == "{":
            head = text[start:index]
            kind = _kind(" ".join(head.split()))
            end = _matching(text, index, "{", "}")
            if kind == "scope":
                start = index + 1
            elif kind == "function" and _is_initializer_list_brace(text, index, end):
                index = end
            elif kind == "function":
                _add_function(functions, text, start, index, end)
                index = end
                start = end + 1
            elif kind == "value":
                index = end  # the statement goes on to its ';'
            else:
                index = end
                start = end + 1
        index += 1
    return functions, statements


def _is_initializer_list_brace(text, index, end):
    """True for `member_{value}` in a constructor's initializer list: a name stands right before
    the brace and a ',' or the body's '{' follows it."""
    before = text[:index].rstrip()
    after = text[end + 1:].lstrip()
    return bool(re.search(r"[:,]\s*\w+(<[^;{}]*>)?$", before)) and after[:1] in (",", "{")


def _line_of(text, position):
    return text.count("\n", 0, position) + 1


def _add_statement(statements, text, start, end):
    content = " ".join(text[start:end].split())
    if content:
        first = start + len(text[start:end]) - len(text[start:end].lstrip())
        statements.append(Statement(content, _line_of(text, first)))


def _add_function(functions, text, start, open_brace, end):
    head = text[start:open_brace]
    first = start + len(head) - len(head.lstrip())
    folded = re.sub(r"^template\s*<.*?>\s*(?=[\w\[])", "", " ".join(head.split()))
    match = _FUNCTION.search(folded)
    name = match.group(1) if match else "?"
    if re.match(r"(TYPED_)?TEST(_[FP])?$|BENCHMARK", name):  # TEST(Suite, name)
        name = folded[match.start():_matching(folded, match.end() - 1, "(", ")") + 1]
    functions.append(Function(name, _line_of(text, first),
                              text.count("\n", first, end) + 1,
                              count_parameters(folded), text[open_brace + 1:end]))
