"""clang-tidy with the checks of the house finds bugs; the stage "tidy" runs it over the sources."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT

CLEAN = "int twice(int a);\nint twice(int a)\n{\n    return 2 * a;\n}\n"
# What is wrong -> C that compiles.
BUGS = {
    "a NULL pointer is read": "int f(void);\nint f(void)\n{\n    int *a = 0;\n    return *a;\n}\n",
    "memory is lost": "#include <stdlib.h>\nint f(void);\nint f(void)\n{\n"
                      "    char *a = malloc(8);\n    return a == 0;\n}\n",
    "a condition ends at its semicolon": "int f(int a);\nint f(int a)\n{\n    if (a == 1);\n"
                                         "        a = 2;\n    return a;\n}\n",
}


def passes(text: str) -> bool:
    """Does clang-tidy accept a file with this text?"""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.c"
        file.write_text(text)
        return subprocess.run(["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}",
                               str(file), "--"], capture_output=True, check=False).returncode == 0


class Tidy(unittest.TestCase):
    """Small files with one bug each."""

    def test_can_fail(self) -> None:
        """Each kind of bug is found, and nothing in what is clean."""
        self.assertTrue(passes(CLEAN))
        for bug, text in BUGS.items():
            with self.subTest(bug=bug):
                self.assertFalse(passes(text))
