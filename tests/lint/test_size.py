"""A function fits a screen, a file holds one idea, a line fits 100 columns."""

import re
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path

from tests.lint.tree import ROOT, files

LINE_COLUMNS_MAX = 100
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 60

# What is longer than it should be, with its length: it may shrink (then lower the number), never
# grow. "path" names a file, "path:function" a function.
EXCEPTIONS: dict[str, int] = {}

FUNCTION_NAME = re.compile(r"(\w+)\s*\(")


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Name and length of each function: from the line that holds its name to the closing brace.

    Relies on the format of the house: the braces of a function stand alone in the first column.
    """
    lines = text.splitlines()
    begin = None
    for number, line in enumerate(lines):
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            head = begin - 1
            while head > 0 and lines[head].startswith((" ", "\t")):
                head -= 1
            match = FUNCTION_NAME.search(" ".join(lines[head:begin]))
            yield match.group(1) if match else "?", number - head + 1
            begin = None


def sizes(root: Path) -> Iterator[tuple[str, int, int]]:
    """Everything that is longer than its limit: key of EXCEPTIONS, length, limit."""
    for path in files(root, ".c", ".h", ".py"):
        name = path.relative_to(root).as_posix()
        text = path.read_text()
        count = len(text.splitlines())
        if count > FILE_LINES_MAX:
            yield name, count, FILE_LINES_MAX
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > LINE_COLUMNS_MAX:
                yield f"{name}:{number}", len(line), LINE_COLUMNS_MAX
        if path.suffix == ".c":
            for function, length in functions(text):
                if length > FUNCTION_LINES_MAX:
                    yield f"{name}:{function}", length, FUNCTION_LINES_MAX


def problems(root: Path, exceptions: dict[str, int]) -> list[str]:
    """What is too long, and exceptions that are no longer true."""
    found = []
    seen = set()
    for key, length, limit in sizes(root):
        seen.add(key)
        if key not in exceptions:
            found.append(f"{key}: {length}, limit {limit}")
        elif exceptions[key] != length:
            found.append(f"{key}: {length}, listed as {exceptions[key]}")
    found += [f"{key}: listed, but within its limit" for key in exceptions if key not in seen]
    return found


class Size(unittest.TestCase):
    """The tree, and files that are too long."""

    def test_tree(self) -> None:
        """Nothing is longer than its limit but what is listed, and that does not grow."""
        self.assertEqual("", "\n".join(problems(ROOT, EXCEPTIONS)))

    def test_can_fail(self) -> None:
        """Each limit is checked. Method: one file that breaks it by one."""
        body = "    x++;\n"
        violations = {
            "line.c": "//" + "x" * (LINE_COLUMNS_MAX - 1) + "\n",
            "file.h": "\n" * (FILE_LINES_MAX + 1),
            "function.c": "int\nf(int x,\n  int y)\n{\n" + body * (FUNCTION_LINES_MAX - 3) + "}\n",
        }
        for name, text in violations.items():
            with self.subTest(name=name), tempfile.TemporaryDirectory() as folder:
                (Path(folder) / name).write_text(text)
                self.assertEqual(1, len(problems(Path(folder), {})))

    def test_exceptions_may_not_rot(self) -> None:
        """An exception whose length changed or that is not needed is reported."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.c").write_text("\n" * (FILE_LINES_MAX + 2))
            self.assertEqual([], problems(Path(folder), {"a.c": FILE_LINES_MAX + 2}))
            self.assertEqual(1, len(problems(Path(folder), {"a.c": FILE_LINES_MAX + 3})))
            self.assertEqual(2, len(problems(Path(folder), {"b.c": FILE_LINES_MAX + 2})))
