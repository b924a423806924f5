"""Sessions follow their users: failover, fallback, drain and abort of a node full of clients.

Method: three nodes, two of them a group. Clients that can resume, one that cannot, and pairs that
chat all the while; whatever is moved, nothing may be lost, repeated or reordered, nobody may be
seen unavailable, and the pace is the one that was asked for.
"""

import asyncio
import itertools
import signal
import time
import unittest
from collections.abc import Callable
from typing import Any, ClassVar

from tests.lib.cluster import TestCluster
from tests.lib.recorder import Chat, Judgement, befriend
from tests.lib.xmpp_client import Client
from tests.lib.xmpp_stream import StreamError
from tests.operator.ctl import REFUSED, ClusterCtl, make_group
from tools.local import processes

TIMEOUT_S = 30.0
POLL_S = 0.05
PAIRS = 2
IDLERS = 28
MESSAGE_INTERVAL_S = 0.02
PACE_ERROR = 0.1


class Moves(ClusterCtl, unittest.IsolatedAsyncioTestCase):
    """One cluster for all tests; each begins and ends with a group that is Normal."""

    cluster: ClassVar[TestCluster]
    numbers: ClassVar[itertools.count]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3", "--timer", "fallback_s=0")
        cls.addClassCleanup(cls.cluster.close)
        cls.numbers = itertools.count()
        make_group(cls.cluster, "pair", (1, 2))

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)
        self.clients: list[Client] = []
        self.chats: list[Chat] = []

    def row(self, node_id: int) -> Any:
        """What ha status says of a node."""
        nodes = self.ok("ha", "status", "--json").json()["nodes"]
        return next(node for node in nodes if node["node"] == node_id)

    def shown(self, node_id: int, title: str) -> str:
        """What the table of ha status shows of a node under a title."""
        head, *lines = self.ok("ha", "status").out.splitlines()
        begin = head.index(title)
        at = head.index("NODE")
        line = next(line for line in lines if line[at:].split()[0] == str(node_id))
        return line[begin:].split("  ")[0].strip()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            await asyncio.sleep(POLL_S)

    async def until_moved(self, node_id: int) -> Any:
        """Wait for the end of a move; its counts."""
        await self.until(lambda: not self.row(node_id)["moving"], f"the move of node {node_id}")
        return self.row(node_id)["sessions"]

    async def log_in(self, node_id: int, **settings: Any) -> Client:
        """A client of a new account at a node."""
        jid = self.cluster.add_user(f"user{next(self.numbers)}")
        client = self.cluster.client(jid, node_id, silence_s=5.0, **settings)
        await client.start()
        self.addAsyncCleanup(client.close)
        client.send_presence()
        return client

    async def fill(self, node_id: int) -> None:
        """Idle clients, and pairs that chat with the third node."""
        for _ in range(IDLERS):
            self.clients.append(await self.log_in(node_id))
        for _ in range(PAIRS):
            pair = [await self.log_in(node_id), await self.log_in(3)]
            await befriend(*pair)
            self.chats.append(Chat(*pair))
            self.clients.append(pair[0])
        for chat in self.chats:
            chat.begin(MESSAGE_INTERVAL_S)

    async def end(self) -> None:
        """Judge the chats."""
        judgement = Judgement()
        for chat in self.chats:
            judgement += await chat.end(TIMEOUT_S)
        self.assertEqual(0, judgement.faults(), judgement)
        self.assertGreater(judgement.received, 0)

    def drops(self, since: float) -> list[float]:
        """When connections were dropped."""
        return sorted(event.at for client in self.clients for event in client.events
                      if event.name == "dropped" and event.at > since)

    def expect_pace(self, since: float, rate: float) -> None:
        """All clients were dropped once, so many a second."""
        drops = self.drops(since)
        self.assertEqual(len(self.clients), len(drops))
        measured = (len(drops) - 1) / (drops[-1] - drops[0])
        self.assertLess(abs(measured - rate), rate * PACE_ERROR, f"{measured} a second")

    async def test_failover_and_fallback(self) -> None:
        """All sessions follow at the pace; the states are those of the table, and the end says how
        many came where. One that cannot resume is told where to go."""
        await self.fill(1)
        stranger = await self.log_in(1, acks=False)
        plan = self.ok("ha", "failover", "1", "--dry-run", "--json").json()["sessions"]
        address = self.cluster.addresses(2)[0]
        self.assertEqual({f"{address.host}:{address.port}": len(self.clients) + 1}, plan)

        begin = time.monotonic()
        self.ok("ha", "failover", "1", "--rate", "10/s")
        self.assertEqual(("Failing Over", "On Admin Request"),
                         (self.row(1)["state"], self.row(1)["reason"]))
        self.assertEqual("Taking Over", self.row(2)["state"])
        self.refused("sessions are being moved", "ha", "fallback", "1")
        counts = await self.until_moved(1)
        self.expect_pace(begin, 10)
        self.assertEqual("Idle", self.row(1)["state"])
        self.assertEqual("Running in Backup Mode", self.row(2)["state"])
        self.assertEqual({"found": len(self.clients) + 1, "dropped": len(self.clients) + 1,
                          "moved": len(self.clients), "returned": 0, "ended": 1}, counts)
        self.assertIsInstance(stranger.lost, StreamError)
        self.assertIn(f"{address.host}:{address.port}", str(stranger.lost))

        for client in self.clients:
            self.assertEqual(2, self.cluster.node_at(client.address))
            self.ok("user", "assign", client.jid, "1")
        self.refused("no group with nodes is named none", "ha", "status", "none", "--watch")
        said = await asyncio.to_thread(self.ok, "ha", "fallback", "1", "--watch")
        self.assertIn(f"{len(self.clients)} of {len(self.clients)} dropped", said.out)
        self.assertFalse(self.row(1)["moving"])
        self.assertEqual(("Normal", "Normal"), (self.row(1)["state"], self.row(2)["state"]))
        self.assertEqual(len(self.clients), self.row(1)["sessions"]["moved"])
        await self.end()

    async def test_who_comes_back(self) -> None:
        """Clients that know this node alone are served there again, once, and counted."""
        await self.fill(1)
        for client in self.clients:
            client.settings.addresses = client.settings.addresses[:1]
        self.ok("ha", "failover", "1", "--rate", "1000")
        counts = await self.until_moved(1)
        self.assertEqual(len(self.clients), counts["returned"])
        for client in self.clients:
            self.assertEqual(1, client.event_count("dropped"))
        self.ok("ha", "fallback", "1")
        await self.until_moved(1)
        await self.end()

    async def test_drain(self) -> None:
        """A drained node has no sessions and takes none; at the deadline all go. A node that is in
        no group can be drained, too."""
        await self.fill(3)
        self.ok("ha", "drain", "3", "--rate", "1", "--deadline", "2")
        counts = await self.until_moved(3)
        self.assertEqual(counts["found"], counts["moved"])
        newcomer = self.cluster.client(self.cluster.add_user(f"user{next(self.numbers)}"), 3)
        with self.assertRaisesRegex(StreamError, "see-other-host"):
            await newcomer.start()
        self.refused("drained already", "ha", "drain", "3")
        self.assertEqual("drained", self.shown(3, "NOTE"))
        number = counts["found"]
        self.assertEqual(f"{number} of {number} dropped: {number} moved, 0 came back, 0 ended",
                         self.shown(3, "SESSIONS"))
        said = self.ctl("cluster", "upgrade-check")
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn("node 3 is drained; first: ha fallback 3", said.err)
        self.ok("ha", "fallback", "3")
        await newcomer.start()
        self.assertEqual(3, self.cluster.node_at(newcomer.address))
        await newcomer.close()
        await self.end()

    async def test_restart(self) -> None:
        """Drained, restarted, and back as soon as it serves: the cluster may learn that later."""
        self.ok("ha", "drain", "1", "--watch")
        self.assertEqual(("Idle", "drained"), (self.row(1)["state"], self.shown(1, "NOTE")))
        processes.send_signal(self.cluster.node(1), signal.SIGTERM)
        await asyncio.to_thread(self.cluster.wait_gone, 1)
        await self.cluster.start(1)
        self.ok("ha", "fallback", "1", "--watch")
        self.assertEqual(("Normal", "-"), (self.row(1)["state"], self.shown(1, "NOTE")))

    async def test_abort(self) -> None:
        """An abort stops the drops, and the node has its users again."""
        self.refused("no sessions are being moved", "ha", "abort", "1")
        await self.fill(1)
        begin = time.monotonic()
        self.ok("ha", "drain", "1", "--rate", "5")
        await self.until(lambda: len(self.drops(begin)) >= 3, "the first drops")
        self.ok("ha", "abort", "1")
        self.assertEqual("Normal", self.row(1)["state"])
        dropped = len(self.drops(begin))
        await self.stays(lambda: len(self.drops(begin)) <= dropped + 1, 1)
        await self.end()

    async def test_the_mover_dies(self) -> None:
        """A node that is killed while it drops its sessions: the move is over, and all resume."""
        await self.fill(1)
        begin = time.monotonic()
        self.ok("ha", "failover", "1", "--rate", "10")
        await self.until(lambda: len(self.drops(begin)) >= 5, "the first drops")
        self.cluster.kill(1)
        await self.until(lambda: self.row(1)["reason"] == "Node Down", "the death")
        self.assertFalse(self.row(1)["moving"])
        for client in self.clients:
            await client.wait_until(lambda client=client: client.event_count("resumed") > 0,
                                    TIMEOUT_S, "resume")
        await self.cluster.start(1)
        await self.until(lambda: self.row(1)["state"] == "Idle", "the return")
        self.ok("ha", "fallback", "1")
        await self.until_moved(1)
        await self.end()
