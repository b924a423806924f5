"""C files stand as clang-format puts them."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT, files


def problems(root: Path) -> list[str]:
    """The complaints of clang-format about the C files below root."""
    names = [str(path) for path in files(root, ".c", ".h")]
    done = subprocess.run(["clang-format", "--style=file", "--dry-run", "-Werror", *names],
                          capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if ": error:" in line]
    if done.returncode != 0 and not complaints:
        complaints.append(done.stderr)
    return complaints


class Format(unittest.TestCase):
    """The tree, and a file with a space too many."""

    def test_tree(self) -> None:
        """All C files are formatted."""
        self.assertEqual("", "\n".join(problems(ROOT)))

    def test_can_fail(self) -> None:
        """A badly formatted file is found."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / ".clang-format", folder)
            (Path(folder) / "a.c").write_text("int  a;\n")
            self.assertEqual(1, len(problems(Path(folder))))
