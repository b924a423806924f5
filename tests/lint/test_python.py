"""Python files compile, and say what they are for."""

import ast
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path

from tests.lint.tree import ROOT, files

ANY_DEF = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _public(node: ast.AST) -> Iterator[ast.AST]:
    """The classes, functions and methods that others may call."""
    for item in ast.iter_child_nodes(node):
        if isinstance(item, ANY_DEF) and not item.name.startswith("_"):
            yield item
            if isinstance(item, ast.ClassDef):
                yield from _public(item)


def _needs_docstring(item: ast.AST) -> bool:
    """Names that unittest and argparse fix say it all: the doc stands at the class or module."""
    fixed = {"main", "setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp",
             "asyncTearDown"}
    overrides = {"startTest", "addSuccess", "addFailure", "addError", "addSubTest"}
    return item.name not in fixed | overrides


def problems(root: Path) -> list[str]:
    """Files that do not compile, and public things without a docstring."""
    found = []
    for path in files(root, ".py"):
        name = path.relative_to(root)
        try:
            module = ast.parse(path.read_text(), str(path))
        except SyntaxError as error:
            found.append(f"{name}: {error}")
            continue
        if ast.get_docstring(module) is None:
            found.append(f"{name}: the module has no docstring")
        found += [f"{name}:{item.lineno}: {item.name} has no docstring" for item in _public(module)
                  if _needs_docstring(item) and ast.get_docstring(item) is None]
    return found


class Python(unittest.TestCase):
    """The tree, and files with a mistake."""

    def test_tree(self) -> None:
        """Every Python file compiles and has its docstrings."""
        self.assertEqual("", "\n".join(problems(ROOT)))

    def test_can_fail(self) -> None:
        """A syntax error and missing docstrings are found."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.py").write_text("def (:\n")
            (Path(folder) / "b.py").write_text("def f():\n    pass\n")
            self.assertEqual(3, len(problems(Path(folder))))
