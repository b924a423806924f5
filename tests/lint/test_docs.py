"""A function that a document cites, `name()` (`file`), is in that file; the section of the design
or the promise that anything cites ("DESIGN 5", "(P4)") is in docs/design.md."""

import re
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT, files

DESIGN = "docs/design.md"
SECTION = re.compile(r"^## (\d+)\. ", re.MULTILINE)
PROMISE = re.compile(r"^\| (P\d+) \|", re.MULTILINE)
SECTIONS_CITED = re.compile(r"\bDESIGN (\d+)")
PROMISES_CITED = re.compile(r"[( ](P\d+)\b")
CITING = (".c", ".h", ".md", ".proto", ".py")
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


def unknown_to_the_design(root: Path) -> list[str]:
    """Sections and promises that are cited and not there."""
    design = (root / DESIGN).read_text()
    known = set(SECTION.findall(design)) | set(PROMISE.findall(design))
    found = []
    for path in files(root, *CITING):
        text = path.read_text()
        for cited in sorted(set(SECTIONS_CITED.findall(text) + PROMISES_CITED.findall(text))):
            if cited not in known:
                found.append(f"{path.relative_to(root)}: {DESIGN} has no {cited}")
    return found


class DocumentsCiteTheTree(unittest.TestCase):
    """Of the tree."""

    def test_tree(self) -> None:
        """Every function stands in the file that the documents name."""
        self.assertGreater(len(citations(ROOT)), 20)
        self.assertEqual([], untrue(ROOT))

    def test_design(self) -> None:
        """Every section of the design and every promise that is cited is there."""
        self.assertEqual([], unknown_to_the_design(ROOT))

    def test_design_can_fail(self) -> None:
        """A section and a promise that are not there are found, others are not."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / DESIGN).write_text("## 3. The log\n| P1 | Kept. |\n")
            (root / "a.c").write_text(f"/* {'DESIGN'} 3, {'DESIGN'} 8 (P1) (P{'11'}) */\n")
            self.assertEqual([f"a.c: {DESIGN} has no 8", f"a.c: {DESIGN} has no {'P'}11"],
                             unknown_to_the_design(root))

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
