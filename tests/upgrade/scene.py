"""A cluster whose nodes run one of two builds: this program, or the next one (NEXT_VERSION), which
reads and writes a version more. Each node's build can be changed while it is down."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kill.scene import KillTest
from tests.lib.cluster import ROOT, TestCluster
from tests.operator.ctl import ClusterCtl, Said
from tools.local import processes
from tools.local.main import find_program

OLD, NEXT = "old", "next"
WRITTEN_OLD, WRITTEN_NEXT = 3, 4  # as storage/state/versions.h has them
NEXT_PROGRAM = "0.1.0-next-for-tests"
LAUNCH = ROOT / "tests" / "upgrade" / "launch"
TIMEOUT_S = 30.0
POLL_S = 0.1
REFUSED_S = 3.0  # a node that is not refused serves much sooner


def builds() -> dict[str, Path]:
    """The folders with the programs of the two builds."""
    return {OLD: Path(find_program("musterd")).parent,
            NEXT: Path(os.environ.get("MUSTER_NEXT_BIN", ROOT / "build-next" / "bin"))}


class UpgradeTest(ClusterCtl, KillTest):
    """Three nodes, of the old build unless a test says otherwise."""

    first_build = OLD

    def make_cluster(self) -> TestCluster:
        """Each node starts what the file of its number names."""
        self.builds = builds()
        self.assertTrue((self.builds[NEXT] / "musterd").exists(), f"not built: {self.builds[NEXT]}")
        self.choices = Path(tempfile.mkdtemp(prefix="muster-builds-"))
        self.addCleanup(shutil.rmtree, self.choices)
        for node in (1, 2, 3):
            self.choose(node, self.first_build)
        # So short a log that a node which lost its data needs a copy.
        return TestCluster("--limit", "log_entries=20", *self.up_options,
                           launcher=f"{LAUNCH} {self.choices}/{{node}}")

    # ------------------------------------------------------------ nodes

    def choose(self, node_id: int, build: str) -> None:
        """What the node runs from its next start on."""
        (self.choices / str(node_id)).write_text(str(self.builds[build]))

    async def stop(self, node_id: int) -> None:
        """Stop it gracefully."""
        processes.send_signal(self.cluster.node(node_id), signal.SIGTERM)
        await asyncio.to_thread(self.cluster.wait_gone, node_id)

    async def change(self, node_id: int, build: str) -> None:
        """Stop a node, and start it with a build; it must serve."""
        await self.stop(node_id)
        self.choose(node_id, build)
        await self.cluster.start(node_id)

    def start_refused(self, node_id: int) -> int:
        """Start the node's program on its data in the foreground, as systemd would; it must end by
        itself. Returns its exit status; what it said is in its log."""
        node = self.cluster.node(node_id)
        with open(node.log, "ab") as log:
            return subprocess.run([LAUNCH, self.choices / str(node_id), "musterd", "-c",
                                   node.config], stdout=log, stderr=log, timeout=TIMEOUT_S,
                                  check=False).returncode

    def log_of(self, node_id: int) -> str:
        """All that a node has logged."""
        return Path(self.cluster.node(node_id).log).read_text(errors="replace")

    async def until_said(self, node_id: int, text: str, since: int) -> None:
        """Wait until the node has logged this behind a position of its log."""
        await self.until(lambda: text in self.log_of(node_id)[since:],
                         f"node {node_id} does not say: {text}")

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for it; clients go on."""
        deadline = time.monotonic() + TIMEOUT_S
        while not await asyncio.to_thread(condition):
            self.assertLess(time.monotonic(), deadline, what)
            await asyncio.sleep(POLL_S)

    async def expect_not_serving(self, node_id: int) -> None:
        """It runs, and serves nobody, for as long as would be enough for one that may."""
        await self.stays(lambda: not processes.status(self.cluster.node(node_id)).get("serving"),
                         REFUSED_S, f"node {node_id} serves")
        self.assertTrue(processes.is_running(self.cluster.node(node_id)))

    # ------------------------------------------------------------ versions

    def ctl_of(self, build: str, *arguments: str) -> Said:
        """The musterctl of a build, for this cluster."""
        done = subprocess.run([self.builds[build] / "musterctl", "--cluster", self.cluster.folder,
                               *arguments], text=True, capture_output=True, timeout=TIMEOUT_S,
                              check=False)
        return Said(done.returncode, done.stdout, done.stderr)

    def check(self) -> dict[str, Any]:
        """What upgrade-check says, safe or not."""
        return self.ctl("cluster", "upgrade-check", "--json").json()

    def written(self) -> set[int]:
        """The version that is written, as each node that runs knows it."""
        return {self.cluster.ask(node, "cluster.upgrade-check")["written"]
                for node in self.cluster.ids if processes.is_running(self.cluster.node(node))}

    def programs_in_store(self, node_id: int) -> int:
        """How many node rows in a node's store have the field that the next version adds."""
        rows = subprocess.run([self.builds[NEXT] / "muster-inspect", "--table", "node",
                               self.cluster.node(node_id).data], text=True, capture_output=True,
                              timeout=TIMEOUT_S, check=True).stdout
        self.assertEqual(len(self.cluster.ids), len(rows.splitlines()), rows)
        return rows.count(NEXT_PROGRAM)

    def entries_of(self, node_id: int, version: int) -> int:
        """How many entries of a version are in the files of a node's log (storage/state/entry.c).
        The time when one was stamped, its wall time, begins with the same bytes for years."""
        head = re.compile(b"\\x00" + bytes([version]) + rb"[\x01-\x03]\x00.{8}\x00{4}.{8}"
                          rb"\x00\x00\x01.{5}", re.DOTALL)
        folder = Path(self.cluster.node(node_id).data) / "raft"
        count = 0
        for path in [*folder.glob("open-*"), *folder.glob("[0-9]*-*")]:
            with contextlib.suppress(FileNotFoundError):  # it is closed, or not needed any more
                count += len(head.findall(path.read_bytes()))
        return count

    async def finish(self) -> None:
        """All nodes run the next build: let what is written rise."""
        await self.until(lambda: not self.check()["hindrances"], "not all nodes say what they read")
        self.ok("cluster", "upgrade-finish")
        await self.until(lambda: self.written() == {WRITTEN_NEXT}, "it does not rise everywhere")
