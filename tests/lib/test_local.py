"""tools/cluster runs what cluster.json names: only in a folder that is its user's own."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests.lib.cluster import ROOT
from tools.local.layout import FILE, Cluster, LocalError, load, locked, save


class Ownership(unittest.TestCase):
    """A folder with a cluster of no nodes."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="muster-local-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name) / "cluster"
        self.folder.mkdir(mode=0o755)
        save(self.folder, Cluster("example.test", "", "/bin/false", [], {}))

    def test_own(self) -> None:
        """The user's own is fine, whatever the umask it was written with."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        save(self.folder, load(self.folder))
        self.assertEqual("/bin/false", load(self.folder).program)
        with locked(self.folder):
            pass

    def test_writable(self) -> None:
        """Others may write to the folder, or to its file."""
        for path in (self.folder, self.folder / FILE):
            mode = path.stat().st_mode & 0o777
            for bit in (0o020, 0o002):
                path.chmod(mode | bit)
                with self.subTest(path=path, bit=bit), \
                        self.assertRaisesRegex(LocalError, "others may write"):
                    load(self.folder)
            path.chmod(mode)
        load(self.folder)

    def test_not_own(self) -> None:
        """It is another user's; nothing is locked there, either."""
        with mock.patch("os.geteuid", return_value=os.geteuid() + 1):
            with self.assertRaisesRegex(LocalError, "is not yours"):
                load(self.folder)
            with self.assertRaisesRegex(LocalError, "is not yours"), locked(self.folder):
                pass

    def test_up(self) -> None:
        """The command says so and runs nothing."""
        self.folder.chmod(0o777)
        done = subprocess.run([str(ROOT / "tools" / "cluster"), "up", "--dir", str(self.folder)],
                              capture_output=True, text=True, check=False)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("others may write", done.stderr)


if __name__ == "__main__":
    unittest.main()
