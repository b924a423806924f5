"""A node that has lost the majority serves nobody, and heals by itself (P6, P8)."""

import time
import unittest

from tests.lib.cluster import TestCluster

CEASE_TIMEOUT_S = 10.0
HEAL_TIMEOUT_S = 30.0


class Minority(unittest.IsolatedAsyncioTestCase):
    """Two of three nodes hang; the third is alone."""

    def setUp(self) -> None:
        self.cluster = TestCluster("--nodes", "3")
        self.addCleanup(self.cluster.close)

    async def _isolate(self, alone: int) -> None:
        """The client of a node without majority gets no ack and is let go; afterwards it resumes
        and what it sent meanwhile arrives."""
        others = [node_id for node_id in self.cluster.ids if node_id != alone]
        client = self.cluster.client(self.cluster.add_user("romeo"), alone, silence_s=1.0)
        await client.start()
        client.send_presence()
        await client.all_acked()
        for other in others:
            self.cluster.pause(other)
        paused_at = time.monotonic()
        await self.cluster.wait_serving(alone, CEASE_TIMEOUT_S, wanted=False)
        print(f"# ceased {(time.monotonic() - paused_at) * 1000:.0f} ms after the others hung")

        acked = client.acked_messages
        client.send_message(client.jid, "into the void")
        await client.wait_until(lambda: client.event_count("dropped") > 0, CEASE_TIMEOUT_S, "drop")
        self.assertEqual(acked, client.acked_messages, "acknowledged without a majority")

        for other in others:
            self.cluster.unpause(other)
        await client.wait_until(lambda: client.event_count("resumed") > 0, HEAL_TIMEOUT_S, "resume")
        await client.all_acked(HEAL_TIMEOUT_S)
        await self.cluster.wait_serving(alone, HEAL_TIMEOUT_S)
        await self.cluster.wait_equal()
        await client.close()

    async def test_leader_alone(self) -> None:
        """The leader without followers stops serving within its lease."""
        await self._isolate(await self.cluster.wait_leader())

    async def test_follower_alone(self) -> None:
        """A follower without a leader stops serving within its lease."""
        leader = await self.cluster.wait_leader()
        await self._isolate(next(one for one in self.cluster.ids if one != leader))
