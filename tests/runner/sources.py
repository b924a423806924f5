"""Find tests and their goals in the sources, so that --list needs no build."""

import ast
import re
from pathlib import Path

from tests.lib import scenario
from tests.runner.program import Case

C_TEST = re.compile(
    r"(?:/\*(?P<comment>(?:[^*]|\*(?!/))*)\*/\s*)?static void (?P<name>test_\w+)\(void \*\*")


def c_cases(source: Path) -> list[Case]:
    """The cmocka tests of a C file; the goal is the comment above, without the method."""
    cases = []
    for match in C_TEST.finditer(source.read_text()):
        comment = re.sub(r"\s*\n\s*\*?\s*", " ", match.group("comment") or "").strip()
        goal = re.sub(r"^Goals?:\s*", "", comment.split("Method:")[0]).strip()
        cases.append(Case(match.group("name"), goal))
    return cases


def python_cases(source: Path) -> list[Case]:
    """The unittest methods of a Python file; the goal is the first line of the docstring. A class
    under @each_scenario has one for each scenario; the goal is its title."""
    cases = []
    for node in ast.parse(source.read_text()).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for item in node.body:
            if (isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and item.name.startswith("test_")):
                goal = (ast.get_docstring(item) or "").split("\n")[0]
                cases.append(Case(f"{node.name}.{item.name}", goal))
        if any(isinstance(mark, ast.Name) and mark.id == "each_scenario"
               for mark in node.decorator_list):
            cases += [Case(f"{node.name}.{scenario.method_name(path)}", scenario.title(path))
                      for path in scenario.files()]
    return cases
