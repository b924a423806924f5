"""A cluster whose nodes are taken away while pairs of clients chat.

Method of all tests: three nodes, three pairs of clients on different nodes that send each other
numbered messages; a node goes, its clients must resume on another one, it comes back, and when it
serves all state hashes must be equal. At the end nothing may be lost, repeated or reordered, and
no contact may have seen anybody unavailable. The moments and victims come from a seed that is
printed; MUSTER_SEED repeats it.
"""

import asyncio
import os
import random
import time
import unittest
from collections.abc import Awaitable, Callable

from tests.lib.cluster import TestCluster
from tests.lib.recorder import Chat, Judgement, befriend
from tests.lib.xmpp_client import Client

SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))
PAIRS = 3
MESSAGE_INTERVAL_S = 0.02
LONGEST_LULL_S = 0.6
RESUME_TIMEOUT_S = 20.0
ARRIVAL_TIMEOUT_S = 20.0


class Scene:
    """A cluster with pairs of clients that chat."""

    def __init__(self, cluster: TestCluster, chance: random.Random) -> None:
        self.cluster = cluster
        self.chance = chance
        self.clients: list[Client] = []
        self.chats: list[Chat] = []
        self.resumes_s: list[float] = []

    async def begin(self) -> None:
        """Log in all clients, make the pairs contacts of each other, let them chat."""
        for number in range(PAIRS):
            pair = [self._new_client(f"{name}{number}", number + offset)
                    for name, offset in (("romeo", 0), ("juliet", 1))]
            for client in pair:
                await client.start()
                client.send_presence()
            await befriend(*pair)
            self.chats.append(Chat(*pair))
            self.clients += pair
        for chat in self.chats:
            chat.begin(MESSAGE_INTERVAL_S)

    def _new_client(self, name: str, place: int) -> Client:
        ids = self.cluster.ids
        return self.cluster.client(self.cluster.add_user(name), ids[place % len(ids)],
                                   direct=bool(place % 2), silence_s=1.5)

    def clients_of(self, node_id: int) -> list[Client]:
        """The clients whose connection goes to a node."""
        return [client for client in self.clients
                if client.address is not None and self.cluster.node_at(client.address) == node_id]

    async def lose_node(self, victim: int, lose: Callable[[int], None]) -> list[Client]:
        """Take a node away at a random moment; its clients must come back elsewhere."""
        await asyncio.sleep(self.chance.uniform(0, LONGEST_LULL_S))
        orphans = self.clients_of(victim)
        before = [client.event_count("resumed") for client in orphans]
        lost_at = time.monotonic()
        lose(victim)
        for client, count in zip(orphans, before):
            await client.wait_until(
                lambda client=client, count=count: client.event_count("resumed") > count,
                RESUME_TIMEOUT_S, f"resume after the loss of node {victim}")
            resumed = [event.at for event in client.events if event.name == "resumed"]
            self.resumes_s.append(resumed[-1] - lost_at)
        return orphans

    async def kill_and_restart(self, victim: int) -> None:
        """One kill -9 and the way back to three equal nodes, each with its clients."""
        orphans = await self.lose_node(victim, self.cluster.kill)
        await self.cluster.start(victim)
        await self.cluster.wait_equal()
        await self.return_clients(victim, orphans)

    async def return_clients(self, victim: int, orphans: list[Client]) -> None:
        """Let clients go back to the node that they lost."""
        for client in orphans:
            client.move(next(one for one in client.settings.addresses
                             if self.cluster.node_at(one) == victim))
        for client in orphans:
            await client.wait_until(lambda client=client: client in self.clients_of(victim),
                                    RESUME_TIMEOUT_S, f"resume on node {victim}, back again")

    async def end(self) -> Judgement:
        """Stop chatting, judge, log out."""
        judgement = Judgement()
        for chat in self.chats:
            judgement += await chat.end(ARRIVAL_TIMEOUT_S)
        await self.cluster.wait_equal()
        for client in self.clients:
            await client.close()
        return judgement


Act = Callable[[Scene, int], Awaitable[None]]


class KillTest(unittest.IsolatedAsyncioTestCase):
    """A fresh cluster a test, and the loop of losses with the judgement at its end."""

    up_options: tuple[str, ...] = ()

    def setUp(self) -> None:
        print(f"# seed {SEED}", flush=True)
        self.chance = random.Random(f"{SEED} {self.id()}")
        self.cluster = self.make_cluster()
        self.addCleanup(self.cluster.close)

    def make_cluster(self) -> TestCluster:
        """Three nodes."""
        return TestCluster("--nodes", "3", *self.up_options)

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients

    async def run_losses(self, kills: int, choose: Callable[[Scene], int],
                         act: Act | None = None) -> None:
        """Take a node away so often; choose says which, act how and how it comes back."""
        scene = Scene(self.cluster, self.chance)
        try:
            await scene.begin()
            for _ in range(kills):
                await self.cluster.wait_leader()
                victim = choose(scene)
                await (act or Scene.kill_and_restart)(scene, victim)
            judgement = await scene.end()
        except BaseException:
            self.cluster.show_logs()
            raise
        resumes = sorted(scene.resumes_s)
        print(f"# {kills} losses: {judgement}")
        if resumes:
            print(f"# {len(resumes)} resumes: median {resumes[len(resumes) // 2] * 1000:.0f} ms, "
                  f"longest {resumes[-1] * 1000:.0f} ms")
        self.assertEqual(0, judgement.faults(), f"seed {SEED}: {judgement}")
        self.assertGreater(judgement.received, 0)
