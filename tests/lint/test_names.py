"""What the documents name exists: files, and functions as `name()`."""

import re
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT, files

QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"^[\w.-]+(?:/[\w.@-]+)+\.(?:c|h|py|md|txt|proto|yaml|service|cmake)$")
FUNCTION = re.compile(r"^(\w+)\(\)$")
FOLDERS = {"deploy", "docs", "ha", "node", "raft", "sip", "storage", "tests", "tools", "xmpp"}


def problems(root: Path) -> list[str]:
    """Every `folder/file.c` and `function()` in a document that is not in the tree."""
    code = "\n".join(path.read_text() for path in files(root, ".c", ".h", ".py"))
    known = set(re.findall(r"\b(\w+)\s*\(", code))
    found = []
    for document in files(root, ".md"):
        name = document.relative_to(root)
        if name.parts[:2] == ("docs", "decisions"):
            continue  # a decision speaks of the tree as it was
        for quoted in QUOTED.findall(document.read_text()):
            function = FUNCTION.match(quoted)
            if function is not None and function.group(1) not in known:
                found.append(f"{name}: no function {quoted}")
            elif (FILE.match(quoted) and quoted.split("/")[0] in FOLDERS
                  and not (root / quoted).exists()):
                found.append(f"{name}: no file {quoted}")
    return found


class Names(unittest.TestCase):
    """The documents of the tree, and a document that lies."""

    def test_tree(self) -> None:
        """Every file and function that a document names is there."""
        self.assertEqual("", "\n".join(problems(ROOT)))

    def test_architecture_names_places(self) -> None:
        """ARCHITECTURE.md leads through the code: it names files and functions at all."""
        text = (ROOT / "ARCHITECTURE.md").read_text()
        quoted = QUOTED.findall(text)
        self.assertGreater(len([item for item in quoted if FILE.match(item)]), 10)
        self.assertGreater(len([item for item in quoted if FUNCTION.match(item)]), 10)

    def test_can_fail(self) -> None:
        """A missing file and a missing function are found, existing ones are not."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "node").mkdir()
            (root / "node" / "a.c").write_text("int here(void)\n{\n}\n")
            (root / "A.md").write_text("`node/a.c` `here()` `node/b.c` `gone()`\n")
            self.assertEqual(["A.md: no file node/b.c", "A.md: no function gone()"],
                             problems(root))
