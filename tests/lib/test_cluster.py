"""The clusters of tests: what goes wrong with a node, however late, fails the test.

Method of all: shell scripts stand for nodes, since a healthy musterd shows none of these faults.
"""

import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from tests.lib.cluster import COMPLAINT, TestCluster
from tests.operator.test_setup import MachinesTest
from tools.local import processes
from tools.local.layout import Cluster, Node, save
from tools.local.main import LocalError, stop_nodes

TIMEOUT_S = 20.0
POLL_S = 0.01
LAST_LINE = "echo 2024-01-01T00:00:00Z info node.stopped"
COMPLAINTS = [
    "ASSERT rc == 0 failed at node/base/buf.c:12",
    "musterd: raft.c:30: raft_start: Assertion `r != NULL' failed.",
    "==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
    "x.c:1:2: runtime error: signed integer overflow",
    "WARNING: ThreadSanitizer: data race (pid=1)",
    "==7== 8 bytes in 1 blocks are definitely lost in loss record 1 of 1",
    "free(): invalid pointer",
    "*** stack smashing detected ***: terminated",
]
HEALTHY = ["2024-01-01T00:00:00Z info node.stopped", "2024-01-01T00:00:00Z warn state.differs"]


def script(at_stop: str) -> str:
    """A program that waits for SIGTERM and then does something."""
    return f"#!/bin/sh\ntrap '{at_stop}' TERM\necho ready\nwhile :; do sleep 0.02; done\n"


def wait_for(file: Path, word: str) -> None:
    """Wait until a file has a word in it."""
    deadline = time.monotonic() + TIMEOUT_S
    while not file.exists() or word not in file.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {word} in {file}")
        time.sleep(POLL_S)


class FakeNodes(unittest.TestCase):
    """A cluster of one script."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="muster-fake-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, at_stop: str, earlier: str = "") -> Node:
        """Run it; earlier stands in its log from before."""
        home = self.folder / "n1"
        home.mkdir()
        program = self.folder / "program"
        program.write_text(script(at_stop))
        program.chmod(0o700)
        log = home / "log"
        log.write_text(earlier)
        node = Node(id=1, pid=0, host="127.0.0.1", ports={}, control=str(home / "control"),
                    data=str(home), log=str(log), config=str(home / "muster.yaml"))
        cluster = Cluster("example.test", "", str(program), [], {}, [node])
        processes.start(cluster, node)
        wait_for(log, "ready")
        save(self.folder, cluster)
        return node

    def close(self) -> None:
        """TestCluster.close(), of this cluster."""
        cluster = TestCluster.__new__(TestCluster)
        cluster.folder = self.folder
        cluster.show_logs = lambda _: None  # type: ignore[method-assign]
        cluster.close()


class Stopping(FakeNodes):
    """The end of a node that another process started: only its log tells."""

    def test_good_end(self) -> None:
        """node.stopped is the last that the node says; valgrind may say more."""
        stop_nodes([self.start(f"{LAST_LINE}; echo ==7== ; exit 0")])

    def test_bad_ends(self) -> None:
        """Before, without or behind its last line; that of an earlier stop does not count."""
        for at_stop in ("kill -SEGV $$", "exit 0", f"{LAST_LINE}; echo corrupted; exit 0"):
            with self.subTest(at_stop):
                node = self.start(at_stop, "2024-01-01T00:00:00Z info node.stopped\n")
                with self.assertRaisesRegex(LocalError, "node 1 died in its stop"):
                    stop_nodes([node])
                shutil.rmtree(self.folder / "n1")

    def test_close(self) -> None:
        """A test whose node dies in its stop fails, as one whose node complains does."""
        for at_stop, reason in (("kill -SEGV $$", "died in its stop"),
                                (f"echo {COMPLAINTS[0]}; {LAST_LINE}; exit 0", "ASSERT")):
            with self.subTest(at_stop):
                self.folder.mkdir(exist_ok=True)
                self.start(at_stop)
                with self.assertRaisesRegex(AssertionError, reason):
                    self.close()
        self.folder.mkdir()
        self.start(f"{LAST_LINE}; exit 0")
        self.close()


class Complaints(unittest.TestCase):
    """Lines that no healthy program writes."""

    def test_lines(self) -> None:
        """Each kind is seen, and what is no complaint is none."""
        for line in COMPLAINTS:
            self.assertIsNotNone(COMPLAINT.search(line), line)
        for line in HEALTHY:
            self.assertIsNone(COMPLAINT.search(line), line)


class Machines(unittest.TestCase):
    """A machine whose node ends with the code of a sanitizer."""

    def test_cleanup(self) -> None:
        """Nobody asks for the exit code, and the test fails all the same."""
        class Leaking(MachinesTest):
            """One such test."""

            code = 99

            def runTest(self) -> None:  # noqa: N802 (unittest's name)
                """Start it, and leave the rest to the end of the test."""
                log = self.machines[0].folder / "log"
                with open(log, "wb") as out:
                    self.machines[0].process = subprocess.Popen(
                        ["sh", "-c", script(f"exit {self.code}")], stdout=out)
                wait_for(log, "ready")

        result = unittest.TestResult()
        Leaking().run(result)
        self.assertEqual(1, len(result.failures), result.errors)
        self.assertIn("99", result.failures[0][1])
        Leaking.code = 0
        result = unittest.TestResult()
        Leaking().run(result)
        self.assertTrue(result.wasSuccessful(), result)
