"""What all tests of hostile input share: a cluster, bystanders, and the look at the node after.

Method of all tests: three nodes; while two bystanders on different nodes chat through resumable
sessions, a hostile peer does something bad to the first node. Afterwards the peer must have been
told in its own protocol, the bystanders must have noticed nothing, the log must be short, memory
must not have grown, and both doors of the node must still let somebody in.
"""

import collections
import logging
import os
import time
import unittest
from pathlib import Path

from tests.hostile.peer import Peer
from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.recorder import Chat, befriend
from tests.lib.xmpp_client import Client
from tests.lib.xmpp_stream import Address

MESSAGE_INTERVAL_S = 0.02
ARRIVAL_TIMEOUT_S = 10.0
SILENCE_S = 3.0              # a bystander that waits longer for an ack has noticed something
# ASan keeps what is freed for a while, TSan a shadow of all.
SANITIZED = bool({"ASAN_OPTIONS", "TSAN_OPTIONS"} & os.environ.keys())
GROWTH_MIB_SANITIZED = 1024
WARNING_INTERVAL_S = 1.0     # a warning that repeats comes no faster
LINES_MAX = 60               # in the node's log, by one test, and one more a second: whoever
                             # guesses at passwords is forgiven so many


class HostileCase(unittest.IsolatedAsyncioTestCase):
    """One cluster a class, fresh bystanders a test."""

    cluster: TestCluster
    node_id: int
    timers: list[str] = []
    limits: list[str] = []
    launcher = ""  # in front of musterd
    growth_mib = 8.0  # of the node's memory, by one test: three times what was seen at most
    # Beyond one of a kind and second: what the test does several times at once.
    due_warnings: collections.Counter[str] = collections.Counter()
    counter = 0

    @classmethod
    def setUpClass(cls) -> None:
        options = [word for timer in cls.timers for word in ("--timer", timer)]
        options += [word for limit in cls.limits for word in ("--limit", limit)]
        cls.cluster = TestCluster("--nodes", "3", *options, launcher=cls.launcher)
        cls.addClassCleanup(cls.cluster.close)
        cls.node_id = cls.cluster.ids[0]
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # writes to closed connections

    async def asyncSetUp(self) -> None:  # noqa: N802 (unittest's name)
        self.bystanders = [self._bystander(name, node) for name, node in
                           (("romeo", self.node_id), ("juliet", self.cluster.ids[1]))]
        for client in self.bystanders:
            await client.start()
            client.send_presence()
        await befriend(*self.bystanders)
        self.log_begin = len(self._log_lines())
        self.resident_kib = self.resident()
        self.began = time.monotonic()
        self.chat = Chat(*self.bystanders)
        self.chat.begin(MESSAGE_INTERVAL_S)

    def _bystander(self, name: str, node_id: int) -> Client:
        return self.cluster.client(self.new_user(name, node_id), node_id, silence_s=SILENCE_S)

    async def asyncTearDown(self) -> None:  # noqa: N802
        try:
            resident_kib = self.resident()
            judgement = await self.chat.end(ARRIVAL_TIMEOUT_S)
            self.assertEqual(0, judgement.faults(), f"bystanders: {judgement}")
            self.assertGreater(judgement.received, 0)
            for client in self.bystanders:
                self.assertEqual(0, client.event_count("dropped"), f"{client.jid} was cut off")
            self._check_log()
            self.check_growth(resident_kib)
            await self._check_doors()
        except BaseException:
            self.cluster.show_logs()
            raise
        finally:
            for client in self.bystanders:
                await client.close()

    def _check_log(self) -> None:
        """At most one warning of a kind and second; what a stranger does is nobody's error."""
        elapsed_s = time.monotonic() - self.began
        lines = self._log_lines()[self.log_begin:]
        levels = [line.split()[1:3] for line in lines if len(line.split()) > 2]
        warned = collections.Counter(event for level, event in levels if level == "warn")
        allowed = 1 + elapsed_s / WARNING_INTERVAL_S
        repeated = (warned - self.due_warnings).values()
        self.assertLessEqual(max(repeated, default=0), allowed, warned)
        self.assertEqual([], [event for level, event in levels if level == "error"])
        self.assertLess(len(lines), LINES_MAX + elapsed_s, "the log is flooded")

    async def _check_doors(self) -> None:
        """The node still serves whoever comes, at both doors."""
        for direct in (False, True):
            peer = await self.peer().log_in(self.address(direct), *self.account())
            self.assertTrue(await peer.bind())
            await peer.close()

    # ------------------------------------------------------------ for the tests

    def check_growth(self, resident_kib: int) -> None:
        """The node's memory, as it was then, against that at the begin of the test."""
        growth_mib = GROWTH_MIB_SANITIZED if SANITIZED else self.growth_mib
        self.assertLess((resident_kib - self.resident_kib) / 1024, growth_mib, "it grew, in MiB")

    def resident(self) -> int:
        """Memory of the node in KiB."""
        status = Path(f"/proc/{self.cluster.node(self.node_id).pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        found = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        self.assertTrue(found, "the node is dead")
        return int(found[0])

    def log_text(self) -> str:
        """What the node has said so far."""
        return Path(self.cluster.node(self.node_id).log).read_text(errors="replace")

    def _log_lines(self) -> list[str]:
        return self.log_text().splitlines()

    def new_user(self, name: str, node_id: int | None = None) -> str:
        """An account that no other test uses; its bare address. It is made through the node that
        it will log in to: others may learn of it a moment later."""
        type(self).counter += 1
        jid = f"{name}{self.counter}@{self.cluster.cluster.domain}"
        self.cluster.ask(node_id or self.node_id, "user.add", user=jid, password=PASSWORD)
        return jid

    def account(self) -> tuple[str, str]:
        """User and password of a fresh account."""
        return self.new_user("mallory").split("@")[0], PASSWORD

    def address(self, direct: bool = True) -> Address:
        """Where the node under attack listens for clients."""
        return self.cluster.addresses(self.node_id, direct)[0]

    def peer(self) -> Peer:
        """A connection to be."""
        return Peer(self.cluster.cluster.domain, self.cluster.cluster.ca)

    async def stranger(self) -> Peer:
        """A peer with TLS and nothing else."""
        return await self.peer().secure(self.address())

    async def bound(self) -> Peer:
        """A peer that has logged in and bound a resource."""
        peer = await self.peer().log_in(self.address(), *self.account())
        await peer.bind()
        return peer
