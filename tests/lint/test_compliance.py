"""What docs/compliance.md says of RFCs and XEPs is what the tree has: each test is there, each XEP
that the server's code cites is in one of the tables, and docs/muster.doap is made of them."""

import re
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT, files
from tools import compliance

FOLDERS = ("xmpp", "storage", "node", "tools/ctl")
CITED = re.compile(r"XEP-(\d{4})")
STATES = ("complete", "partial")


def cited(root: Path) -> set[str]:
    """XEPs that the code cites."""
    return {number for folder in FOLDERS for path in files(root / folder, ".c", ".h", ".proto")
            for number in CITED.findall(path.read_text())}


def problems(root: Path) -> list[str]:
    """What does not fit."""
    text = (root / compliance.TABLE).read_text()
    served = {xep.number: xep for xep in compliance.xeps(text)}
    tests = {f"XEP-{number}": xep.tests for number, xep in served.items()}
    tests |= {f"RFC {number}": names for number, names in compliance.rfcs(text).items()}
    named = compliance.named(text)
    found = [f"{what}: no test" for what, names in tests.items() if not names]
    found += [f"{what}: there is no tests/{name}" for what, names in tests.items()
              for name in names if not (root / "tests" / name).is_file()]
    found += [f"XEP-{xep.number}: {xep.status} is no status" for xep in served.values()
              if xep.status not in STATES]
    found += [f"XEP-{number} is in no table" for number in
              sorted(cited(root) - set(served) - set(named))]
    found += [f"XEP-{number} is served, and not cited" for number in
              sorted(set(served) - cited(root))]
    found += [f"XEP-{number} is not cited" for number in sorted(set(named) - cited(root))]
    found += [f"XEP-{number} is in both tables" for number in sorted(set(named) & set(served))]
    if (root / compliance.DOAP).read_text() != compliance.doap(root):
        found.append(f"tools/doap > {compliance.DOAP}")
    return found


class Compliance(unittest.TestCase):
    """Of the tree."""

    def test_tree(self) -> None:
        """All fits."""
        self.assertGreater(len(compliance.xeps((ROOT / compliance.TABLE).read_text())), 10)
        self.assertEqual([], problems(ROOT))

    def test_can_fail(self) -> None:
        """Each kind of misfit is found."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ("docs", "tests", *FOLDERS):
                (root / name).mkdir(parents=True)
            (root / "CMakeLists.txt").write_text("project(muster VERSION 1.2 LANGUAGES C)\n")
            (root / "tests/a.py").write_text("")
            (root / "xmpp/a.c").write_text(f"/* {'XEP'}-0001 {'XEP'}-0002 {'XEP'}-0009 */\n")
            (root / compliance.TABLE).write_text("""
| RFC | served | left out | tests |
|---|---|---|---|
| 6120 | all | | |

| XEP | name | version | status | served | left out | announced | tests |
|---|---|---|---|---|---|---|---|
| 0001 | One | 1.0 | done | a & b | `c` | server: `a` `b` stream: `c` | `a.py` `b.py` |
| 0004 | Four | 1.0 | complete | all | | | `a.py` |

| XEP | name | why it is named |
|---|---|---|
| 0002 | Two | so |
| 0003 | Three | so |
| 0004 | Four | so |
""")
            doap = root / compliance.DOAP
            doap.write_text("")
            misfits = ["RFC 6120: no test", "XEP-0001: there is no tests/b.py",
                       "XEP-0001: done is no status", "XEP-0009 is in no table",
                       "XEP-0004 is served, and not cited",
                       "XEP-0003 is not cited", "XEP-0004 is not cited",
                       "XEP-0004 is in both tables"]
            self.assertEqual([*misfits, f"tools/doap > {compliance.DOAP}"], problems(root))
            doap.write_text(compliance.doap(root))
            self.assertEqual(misfits, problems(root))
            self.assertIn("<xmpp:since>1.2</xmpp:since>\n        <xmpp:note xml:lang=\"en\">"
                          "a &amp; b. Left out: c</xmpp:note>", doap.read_text())
            text = (root / compliance.TABLE).read_text()
            self.assertEqual({"a", "b"}, compliance.announced(text, "server"))
            self.assertEqual({"c"}, compliance.announced(text, "stream"))


if __name__ == "__main__":
    unittest.main()
