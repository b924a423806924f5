"""tools/cluster runs what cluster.json names: only in a folder that is its user's own; and it knows
its processes again."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests.lib.cluster import ROOT
from tools.local import processes
from tools.local.layout import FILE, Cluster, LocalError, Node, load, locked, save


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


class Running(unittest.TestCase):
    """The id of a process is used again when that one has ended."""

    def runs(self, pid: int, config: str) -> bool:
        """Is that the process of a node with this configuration?"""
        return processes.is_running(Node(1, pid, "127.0.0.1", {}, "", "", "", config))

    def test_by_its_configuration(self) -> None:
        """The process that has it is the node's, from its begin to its end."""
        for _ in range(20):
            with subprocess.Popen(["sleep", "60.5"]) as process:
                self.assertTrue(self.runs(process.pid, "60.5"))
                self.assertFalse(self.runs(process.pid, "60.6"))
                process.kill()
            self.assertFalse(self.runs(process.pid, "60.5"))

    def test_without_arguments(self) -> None:
        """What has none for a moment is looked at again; what has none for long, as a thread of
        the kernel, is no node."""
        with mock.patch.object(processes, "BEGIN_TIMEOUT_S", 0.1), \
                mock.patch.object(Path, "read_bytes") as arguments:
            arguments.side_effect = [b"", b"musterd\0-c\0file\0"]
            self.assertTrue(self.runs(os.getpid(), "file"))
            arguments.side_effect = None
            arguments.return_value = b""
            self.assertFalse(self.runs(os.getpid(), "file"))


if __name__ == "__main__":
    unittest.main()
