"""Somebody sets the wall clock of a node, by hours, forward and back: nobody notices (P6). Leases
and deadlines go by clocks that nobody sets.

Method: a preloaded library (tests/lib/stepped_clock) makes each node's wall clock the test's, while
pairs of clients chat on all nodes.
"""

import asyncio
import shutil
import struct
import tempfile
import time
import unittest
from datetime import datetime
from pathlib import Path

from tests.kill.scene import KillTest, Scene
from tests.lib.cluster import POLL_S, TestCluster
from tools.local.main import find_program

LIBRARY = "tests/libstepped_clock.so"
STEPS = 4
STEP_S = 7200
LEASE_S = 1.0  # the default


def _library() -> Path:
    """It is built beside the programs. SkipTest: those are installed ones."""
    path = Path(find_program("musterd")).parents[1] / LIBRARY
    if not path.exists():
        raise unittest.SkipTest(f"there is no {path}")
    return path


class Clock(KillTest):
    """Three nodes with wall clocks of their own."""

    def make_cluster(self) -> TestCluster:
        """Three nodes, each with the library and a file that says how far it is ahead."""
        self.clocks = Path(tempfile.mkdtemp(prefix="muster-clock-"))
        self.addCleanup(shutil.rmtree, self.clocks)
        for node_id in (1, 2, 3):
            self._step(node_id, 0)
        launcher = f"env LD_PRELOAD={_library()} STEPPED_CLOCK={self.clocks}/{{node}}"
        return TestCluster("--nodes", "3", launcher=launcher)

    def _step(self, node_id: int, ahead_s: int) -> None:
        """In place: the node has the file mapped."""
        path = self.clocks / str(node_id)
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("=q", ahead_s))

    async def test_steps(self) -> None:
        """The clock of a node jumps, the leader's or a follower's: it goes on serving, in the same
        life, under the same leader. Then the node is killed, and its clients resume elsewhere."""
        async def act(scene: Scene, victim: int) -> None:
            before = self._lives()
            self._step(victim, self.chance.choice([-STEP_S, STEP_S]))
            await self._nothing_changes(before)
            self._step(victim, 0)
            await self._nothing_changes(before)
            self._step(victim, self.chance.choice([-STEP_S, STEP_S]))
            await scene.kill_and_restart(victim)
            self.assertGreater(self._log_ahead_s(victim), STEP_S / 2, "nobody set its clock")

        await self.run_losses(STEPS, lambda scene: self.chance.choice(scene.cluster.ids), act)

    async def _nothing_changes(self, before: list[tuple[int, int, bool]]) -> None:
        """For long enough that a lease would run out."""
        end = time.monotonic() + 2 * LEASE_S
        while time.monotonic() < end:
            self.assertEqual(before, self._lives())
            await asyncio.sleep(POLL_S)

    def _log_ahead_s(self, node_id: int) -> float:
        """How far the last line of a node's log is from now."""
        line = Path(self.cluster.node(node_id).log).read_text().splitlines()[-1]
        written = datetime.fromisoformat(line.split("Z ")[0] + "+00:00")
        return abs(written.timestamp() - time.time())

    def _lives(self) -> list[tuple[int, int, bool]]:
        return [(status["incarnation"], status["leader"], status["serving"])
                for status in (self.cluster.ask(node_id, "node.status")
                               for node_id in self.cluster.ids)]
