"""A function that a document cites, `name()` (`file`), is in that file."""

import re
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT, files

CITED = re.compile(r"`(\w+)\(\)`,?\s+(?:in\s+)?\(?`([\w/]+\.[ch])`")


def citations(root: Path) -> list[tuple[Path, str, str]]:
    """Document, function and file; files are named from the root or from beside the document."""
    return [(path, name, file) for path in files(root, ".md")
            for name, file in CITED.findall(path.read_text())]


def untrue(root: Path) -> list[str]:
    """Citations whose file is missing or does not have the function."""
    found = []
    for document, name, file in citations(root):
        places = [place for place in (root / file, document.parent / file) if place.exists()]
        if not any(re.search(rf"\b{name}\(", place.read_text()) for place in places):
            found.append(f"{document.relative_to(root)}: {file} has no {name}()")
    return found


class DocumentsCiteTheTree(unittest.TestCase):
    """Of the tree."""

    def test_tree(self) -> None:
        """Every function stands in the file that the documents name."""
        self.assertGreater(len(citations(ROOT)), 20)
        self.assertEqual([], untrue(ROOT))

    def test_can_fail(self) -> None:
        """A function that moved and a file that went are found, one beside the document is not."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "part").mkdir()
            (root / "part/a.c").write_text("void stays(void)\n")
            (root / "part/README.md").write_text(
                "`stays()` (`a.c`), `stays()` in `part/a.c`,\n"
                "`moved()` (`part/a.c`), `went()` (`b.c`)\n")
            self.assertEqual(["part/README.md: part/a.c has no moved()",
                              "part/README.md: b.c has no went()"], untrue(root))


if __name__ == "__main__":
    unittest.main()
