"""All nodes are killed at once, under load, and started again: what was acknowledged is there (P1),
once and in order (P2), and nobody saw anybody leave (P4).

MUSTER_OUTAGES says how often.
"""

import asyncio
import os
import signal

from tests.kill.scene import ARRIVAL_TIMEOUT_S, RESUME_TIMEOUT_S, KillTest, Scene
from tests.lib.cluster import TestCluster
from tools.local import processes
from tools.local.control import ControlError
from tools.local.layout import Node

OUTAGES = int(os.environ.get("MUSTER_OUTAGES", "2"))
LONGEST_PAUSE_S = 0.3
ADDS_AT_ONCE = 4
PASSWORD = "nobody logs in with it"


class Outage(KillTest):
    """Three nodes whose machine room goes dark."""

    async def test_all_at_once(self) -> None:
        """Clients chat and an operator makes accounts, on all nodes. kill -9 of all nodes in one
        moment; they come back in any order. Every client resumes; every account that was answered
        "ok" exists on every node, and every message arrives before the next outage."""
        accounts = Accounts(self.cluster)

        async def act(scene: Scene, _: int) -> None:
            before = [client.event_count("resumed") for client in scene.clients]
            adding = [asyncio.create_task(accounts.add_until_refused())
                      for _ in range(ADDS_AT_ONCE)]
            await asyncio.sleep(self.chance.uniform(LONGEST_PAUSE_S, 2 * LONGEST_PAUSE_S))
            self._kill_all()
            sent = [side.sent for chat in scene.chats for side in chat.sides]
            await asyncio.gather(*adding)
            await self._start_all()
            for client, count in zip(scene.clients, before):
                await client.wait_until(
                    lambda client=client, count=count: client.event_count("resumed") > count,
                    RESUME_TIMEOUT_S, "resume after the outage")
            await self._arrival(scene, sent)
            # A node that does not serve yet may answer from what it had.
            await asyncio.to_thread(processes.wait_serving, self._nodes(), RESUME_TIMEOUT_S)
            await self.cluster.wait_equal()
            self.assertEqual([], accounts.take_missing())

        await self.run_losses(OUTAGES, lambda scene: 0, act)
        print(f"# {accounts.number} accounts asked for, {accounts.found} made and found")
        self.assertGreaterEqual(accounts.found, OUTAGES)

    async def _arrival(self, scene: Scene, sent: list[int]) -> None:
        """What each side had sent at the outage reaches the other."""
        others = [other for chat in scene.chats for other in chat.sides[::-1]]
        for other, count in zip(others, sent):
            await other.client.wait_until(
                lambda other=other, count=count: len(other.received) >= count,
                ARRIVAL_TIMEOUT_S, "messages from before the outage")

    def _nodes(self) -> list[Node]:
        return [self.cluster.node(node_id) for node_id in self.cluster.ids]

    def _kill_all(self) -> None:
        nodes = self._nodes()
        for node in nodes:
            processes.send_signal(node, signal.SIGKILL)
        for node in nodes:
            processes.wait_gone(node)

    async def _start_all(self) -> None:
        for node_id in self.chance.sample(self.cluster.ids, len(self.cluster.ids)):
            await asyncio.sleep(self.chance.uniform(0, LONGEST_PAUSE_S))
            await asyncio.to_thread(self.cluster.start_and_leave, node_id)


class Accounts:
    """Accounts that an operator makes, on one node after the other."""

    def __init__(self, cluster: TestCluster) -> None:
        self.cluster = cluster
        self.number = 0              # how many were asked for
        self.found = 0
        self._made: list[str] = []   # answered "ok", and not looked for yet

    async def add_until_refused(self) -> None:
        """One after the other, until a node is not there to answer."""
        while True:
            self.number += 1
            name = f"made{self.number}@{self.cluster.cluster.domain}"
            node_id = self.cluster.ids[self.number % len(self.cluster.ids)]
            try:
                await asyncio.to_thread(self.cluster.ask, node_id, "user.add", user=name,
                                        password=PASSWORD)
            except ControlError:
                return
            self._made.append(name)

    def take_missing(self) -> list[str]:
        """Of the accounts that were answered "ok" since the last time, those that a node does not
        know."""
        missing = []
        for name in self._made:
            for node_id in self.cluster.ids:
                try:
                    self.cluster.ask(node_id, "user.show", user=name)
                except ControlError as error:
                    missing.append(f"{name} on node {node_id}: {error}")
        self.found += len(self._made) - len(missing)
        self._made.clear()
        return missing
