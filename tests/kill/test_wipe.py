"""A node that lost its disk comes back by one command, under a new raft id, while load runs."""

import shutil
from pathlib import Path

from tests.kill.scene import KillTest, Scene


class Wipe(KillTest):
    """The log is kept so short that the state must come as a copy from another node."""

    up_options = ("--limit", "log_entries=20")

    async def test_wiped(self) -> None:
        """Old id removed, spare, copy, voter; its former clients chat on, all states are equal."""
        async def wipe(scene: Scene, victim: int) -> None:
            old = self.cluster.raft_id(victim)
            await scene.lose_node(victim, self.cluster.kill)
            await self.cluster.rejoin(victim)
            self.assertNotEqual(old, self.cluster.raft_id(victim))
            await self.cluster.wait_equal()
        one, other = self.chance.sample(self.cluster.ids, 2)
        victims = [other, one, one]  # twice at once: a raft id must not come again either
        await self.run_losses(len(victims), lambda scene: victims.pop(), wipe)
        logs = [Path(self.cluster.node(node_id).log).read_text() for node_id in (one, other)]
        self.assertTrue(any(" snapshot.fetched " in log for log in logs), "no copy was streamed")

    async def test_lost_log(self) -> None:
        """A node whose log alone is lost does not vote again under its raft id: it does not start,
        says why, and joins again by the same command."""
        await self.cluster.wait_leader()
        victim = self.chance.choice(self.cluster.ids)
        node = self.cluster.node(victim)
        self.cluster.kill(victim)
        shutil.rmtree(Path(node.data) / "raft")
        with self.assertRaises(RuntimeError):
            await self.cluster.start(victim)
        self.assertIn("identity.log_lost", Path(node.log).read_text())
        await self.cluster.rejoin(victim)
        await self.cluster.wait_equal()
