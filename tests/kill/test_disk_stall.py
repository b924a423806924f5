"""A node whose log disk neither writes nor fails steps aside: the others go on, with its clients,
and it comes back by itself when its disk does.

Method: a preloaded library (tests/lib/held_disk) holds back what one node writes to its log, while
pairs of clients chat on all nodes.
"""

import asyncio
import shutil
import tempfile
import time
import unittest
from pathlib import Path

from tests.kill.scene import KillTest, Scene
from tests.lib.cluster import TestCluster
from tools.local.control import ControlError
from tools.local.main import find_program

LIBRARY = "tests/libheld_disk.so"
GO_ON_TIMEOUT_S = 30.0
ASIDE_TIMEOUT_S = 20.0
BACK_TIMEOUT_S = 30.0


def _library() -> Path:
    """It is built beside the programs. SkipTest: those are installed ones."""
    path = Path(find_program("musterd")).parents[1] / LIBRARY
    if not path.exists():
        raise unittest.SkipTest(f"there is no {path}")
    return path


class HeldDisk(KillTest):
    """Three nodes, one of which has a log that stands still."""

    environment = ""

    def make_cluster(self) -> TestCluster:
        """Three nodes, each with the library and a file that holds its log back."""
        self.flags = Path(tempfile.mkdtemp(prefix="muster-held-"))
        self.addCleanup(shutil.rmtree, self.flags)
        launcher = (f"env LD_PRELOAD={_library()} HELD_DISK={self.flags}/{{node}} "
                    f"{self.environment}")
        return TestCluster("--nodes", "3", launcher=launcher)

    def _hold(self, victim: int) -> None:
        (self.flags / str(victim)).touch()

    def _release(self, victim: int) -> None:
        (self.flags / str(victim)).unlink()

    async def _others_go_on(self, victim: int) -> None:
        """Each of them takes a command."""
        deadline = time.monotonic() + GO_ON_TIMEOUT_S
        for node_id in self.cluster.ids:
            while node_id != victim:
                try:
                    self.cluster.ask(node_id, "user.add", password="a password",
                                     user=f"during{node_id}@{self.cluster.cluster.domain}")
                    break
                except ControlError:
                    self.assertLess(time.monotonic(), deadline, f"node {node_id} takes nothing")
                    await asyncio.sleep(0.1)

    async def stall(self, scene: Scene, victim: int) -> None:
        """The clients of the victim resume elsewhere, and everybody goes on."""
        try:
            orphans = await scene.lose_node(victim, self._hold)
            await self._others_go_on(victim)
            await self.cluster.wait_serving(victim, ASIDE_TIMEOUT_S, wanted=False)
            self.assertIn("log-disk-stalled", self.cluster.ask(victim, "node.status")["alarms"])
        finally:
            self._release(victim)
        await self.cluster.wait_serving(victim, BACK_TIMEOUT_S)
        await self.cluster.wait_equal()
        await scene.return_clients(victim, orphans)


class DiskStall(HeldDisk):
    """The log of the leader or of a follower stands still."""

    async def test_leader(self) -> None:
        """The leader's log: it commits nothing without it, and must not keep its lease."""
        await self.run_losses(1, lambda scene: self.cluster.leader() or 0, self.stall)

    async def test_follower(self) -> None:
        """The log of a follower: it applies nothing without it."""
        await self.run_losses(1, lambda scene: next(
            one for one in self.cluster.ids if one != self.cluster.leader()), self.stall)


class Planted(HeldDisk):
    """What the tests above ask for is not what any node does."""

    environment = "HELD_IN_LOOP=1"

    async def test_waits(self) -> None:
        """A leader whose raft thread itself waits for the disk: it does not even say so."""
        async def act(scene: Scene, victim: int) -> None:
            with self.assertRaisesRegex(AssertionError, "'log-disk-stalled' not found"):
                await self.stall(scene, victim)
            await self.cluster.wait_serving(victim, BACK_TIMEOUT_S)

        await self.run_losses(1, lambda scene: self.cluster.leader() or 0, act)


if __name__ == "__main__":
    unittest.main()
