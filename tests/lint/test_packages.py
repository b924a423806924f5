"""The package lists are sorted and name every package once."""

import unittest

from tests.lint.tree import ROOT

LISTS = ["packages.txt", "packages-test.txt"]


def names_of(text: str) -> list[str]:
    """The packages of a list, without its comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def problems(lists: list[list[str]]) -> list[str]:
    """Packages out of order within a list, or named twice in all of them."""
    found = [f"{second} after {first}" for names in lists
             for first, second in zip(names, names[1:]) if first > second]
    every = [name for names in lists for name in names]
    return found + [f"{name} twice" for name in sorted(set(every)) if every.count(name) > 1]


class Packages(unittest.TestCase):
    """The lists in deploy/, and lists with a mistake."""

    def test_tree(self) -> None:
        """Both lists are sorted and do not overlap."""
        lists = [names_of((ROOT / "deploy" / name).read_text()) for name in LISTS]
        self.assertEqual("", "\n".join(problems(lists)))

    def test_can_fail(self) -> None:
        """Disorder and repetition are found."""
        self.assertEqual(["a after b"], problems([["b", "a"]]))
        self.assertEqual(["a twice"], problems([["a"], ["a", "b"]]))
