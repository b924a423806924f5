"""A node that lost its disk comes back by one command, under a new raft id, while load runs."""

import asyncio
import shutil
import time
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


ACCOUNTS = 20
DURABLE_TIMEOUT_S = 20.0


def _damage_tail(log: Path) -> None:
    """Change a byte in the middle of what was written to the newest segment."""
    segment = max(log.glob("open-*"), key=lambda path: len(path.read_bytes().rstrip(b"\0")))
    content = segment.read_bytes()
    middle = len(content.rstrip(b"\0")) // 2
    with segment.open("r+b") as file:
        file.seek(middle)
        file.write(bytes([content[middle] ^ 0xff]))


class Decay(KillTest):
    """The log is kept whole, so that no snapshot stands for what is damaged."""

    async def _wait_durable(self, node_id: int) -> None:
        """Wait until the node's store holds everything that is applied."""
        deadline = time.monotonic() + DURABLE_TIMEOUT_S
        while not self.cluster.ask(node_id, "state.hash")["current"]:
            self.assertLess(time.monotonic(), deadline, "the store does not get everything")
            await asyncio.sleep(0.05)

    async def test_lost_tail(self) -> None:
        """A voter whose log lost its end elects nobody who lacks what was accepted: it does not
        start, says why, and joins again. The node that has everything is elected instead."""
        whole = await self.cluster.wait_leader()
        decayed, absent = (one for one in self.cluster.ids if one != whole)
        self.cluster.kill(absent)
        accounts = [self.cluster.add_user(f"user{number}") for number in range(ACCOUNTS)]
        await self._wait_durable(decayed)
        self.cluster.kill(decayed)
        self.cluster.kill(whole)
        node = self.cluster.node(decayed)
        _damage_tail(Path(node.data) / "raft")
        with self.assertRaises(RuntimeError):
            await self.cluster.start(decayed)
        # A byte of an entry, or of a length: then the file ends before what it announces.
        self.assertRegex(Path(node.log).read_text(), r"raft\.(tail_lost|file_cut_short) ")
        await asyncio.gather(self.cluster.start(whole), self.cluster.start(absent))
        await self.cluster.rejoin(decayed)
        await self.cluster.wait_equal()
        for account in accounts:
            self.assertTrue(self.cluster.ask(absent, "user.show", user=account))
