"""The port of the node links: a node that lies, and strangers in numbers.

The liar holds the certificate of a real node (the last one), so that its frames reach the leader's
raft thread. No certificate helps against what a stolen key may say in its own node's name; but it
must not stop anybody, speak for another node, or end anybody's term.
"""

import asyncio
import collections
import contextlib
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.scene import HostileCase
from tests.lib.cluster import TestCluster

# raft/link/frame.h
HELLO, READY, DATA = 1, 2, 5
BULK, URGENT = 1, 0
# raft/log/frame.h
RAFT, FORWARD = 1, 5
# raft/shim/wire.h: version, type, raft ids of the sender and the receiver
WIRE_VERSION, WIRE_REQUEST_VOTE = 1, 3
LAST_TERM = 2**64 - 1
EMPTY = b"\xca\x01\x00"     # Command{empty{}}
UNREADABLE = b"\xff"
SEQS = range(1, 5001)       # beyond what the bystanders have sent
SEQS_A_FRAME = 1000
MESSAGES = 50               # of each bystander: how many must flow until it counts as flowing
FLOW_TIMEOUT_S = 20.0
JOIN_TIMEOUT_S = 60.0
POLL_S = 0.02
FLOOD_SOURCE = "127.0.0.66"  # where no node lives
FLOOD = Path(__file__).with_name("link_flood.py")


def node_down(incarnation: int) -> bytes:
    """Command{node_down{incarnation}}, which only a leader decides."""
    number = b""
    while incarnation > 0x7f:
        number += bytes([incarnation & 0x7f | 0x80])
        incarnation >>= 7
    number += bytes([incarnation])
    return bytes([0x1a, 1 + len(number), 0x08]) + number


def piece(kind: int, payload: bytes, frame: int = 0, urgency: int = 0) -> bytes:
    """One piece of a link."""
    return struct.pack(">IBBBB", len(payload), kind, frame, urgency, 0) + payload


def forward(term: int, commands: list[tuple[int, int, bytes]]) -> bytes:
    """Commands {incarnation, seq, bytes} for the leader of a term."""
    payload = struct.pack(">Q", term)
    for incarnation, seq, words in commands:
        payload += struct.pack(">QQI", incarnation, seq, len(words)) + words
    return piece(DATA, payload, FORWARD, BULK)


def vote(sender: int, receiver: int, term: int) -> bytes:
    """A candidate asks for a vote, with a log that is longer than anybody's."""
    words = struct.pack(">BBQQ", WIRE_VERSION, WIRE_REQUEST_VOTE, sender, receiver)
    words += struct.pack(">QQQQBB", term, sender, 1000, 1000, 1, 0)
    return piece(DATA, words, RAFT, URGENT)


class Links(HostileCase):
    """The leader is under attack; its id comes first in cluster.ids, that of the liar last."""

    # The liar's link takes the place of the real node's, and that comes back in the liar's; each
    # refused command has its own line, and one test sends two.
    due_warnings = collections.Counter({"link.down": 2, "raft.command_refused": 1})

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        asyncio.run(cls._cast(cls.cluster))
        cls.node_id, _, cls.liar = cls.cluster.ids

    @staticmethod
    async def _cast(cluster: TestCluster) -> None:
        """The highest id dials all others, so that it can be lied for; it must not lead itself."""
        liar = max(cluster.ids)
        leader = await cluster.wait_leader()
        if leader == liar:
            cluster.kill(liar)
            leader = await cluster.wait_leader()
            await cluster.start(liar)
        cluster.ids.sort(key=lambda one: (one == liar, one != leader))

    # ------------------------------------------------------------ what the tests do

    @contextlib.contextmanager
    def _lie(self) -> Iterator[ssl.SSLSocket]:
        """A link to the leader that is up, under the name of another node."""
        tls = self.cluster.folder / "tls" / f"node-{self.liar}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(f"{tls}.pem", f"{tls}.key")
        node = self.cluster.node(self.node_id)
        with (socket.create_connection((node.host, node.ports["link"]), FLOW_TIMEOUT_S) as tcp,
              context.wrap_socket(tcp) as link):
            hello = struct.pack(">HHQ", 1, 1, self.cluster.raft_id(self.liar))
            link.sendall(piece(HELLO, hello))
            self.assertGreater(len(link.recv(4096)), 0, "the leader has not said hello")
            link.sendall(piece(READY, b""))
            yield link

    def _status(self) -> dict:
        return self.cluster.ask(self.node_id, "node.status")

    def _incarnation(self, node_id: int) -> int:
        return self.cluster.ask(node_id, "node.status")["incarnation"]

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """TimeoutError: it does not hold in time."""
        try:
            async with asyncio.timeout(FLOW_TIMEOUT_S):
                while not condition():
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise TimeoutError(f"{what}: not within {FLOW_TIMEOUT_S:.0f} s") from None

    async def _flows(self) -> None:
        """Wait until both bystanders have got so many messages more."""
        begun = [len(side.received) for side in self.chat.sides]
        await self._wait(lambda: all(len(side.received) >= count + MESSAGES for side, count in
                                     zip(self.chat.sides, begun, strict=True)), "messages flow")

    def _says(self, node_id: int, event: str) -> bool:
        """Has the node ever logged it?"""
        return event in Path(self.cluster.node(node_id).log).read_text(errors="replace").split()

    async def _all_is_well(self) -> None:
        """Messages flow, nobody has stopped, and all nodes have the same state."""
        await self._flows()
        for node_id in self.cluster.ids:
            self.assertTrue(self.cluster.ask(node_id, "node.status")["serving"])
            self.assertFalse(self._says(node_id, "raft.fail_stop"))
        await self.cluster.wait_equal()

    # ------------------------------------------------------------ tests

    async def test_forwarded_bytes_that_nobody_can_read(self) -> None:
        """Goal: no bytes of another node stop those that apply the log. Method: forward one byte
        that is no command, without an incarnation and with the liar's own."""
        term = self._status()["term"]
        with self._lie() as link:
            link.sendall(forward(term, [(0, 0, UNREADABLE),
                                        (self._incarnation(self.liar), 1, UNREADABLE)]))
            await self._all_is_well()

    async def test_forwarded_death(self) -> None:
        """Goal: nobody but the leader decides that a node is dead. Method: forward that the leader
        is, without an incarnation."""
        before = self._incarnation(self.node_id)
        term = self._status()["term"]
        with self._lie() as link:
            link.sendall(forward(term, [(0, 0, node_down(before))]))
            await self._all_is_well()
        self.assertEqual(before, self._incarnation(self.node_id))
        self.assertFalse(self._says(self.node_id, "core.incarnation_ended"))

    async def test_forwarded_for_another_node(self) -> None:
        """Goal: a node speaks for itself only. Method: forward commands that do nothing under the
        incarnation of each bystander's node: any that passed would take the place of a message."""
        term = self._status()["term"]
        with self._lie() as link:
            for node_id in self.cluster.ids[:2]:
                incarnation = self._incarnation(node_id)
                for first in SEQS[::SEQS_A_FRAME]:
                    link.sendall(forward(term, [(incarnation, seq, EMPTY) for seq in
                                                range(first, first + SEQS_A_FRAME)]))
            await self._all_is_well()

    async def test_vote_of_an_enormous_term(self) -> None:
        """Goal: no number of one node leaves the cluster without a leader. Method: ask the leader
        for a vote in the last term that there can be; it goes on in its own."""
        term = self._status()["term"]
        with self._lie() as link:
            link.sendall(vote(self.cluster.raft_id(self.liar), self.cluster.raft_id(self.node_id),
                              LAST_TERM))
            await self._wait(lambda: self._says(self.node_id, "raft.bad_frame"), "raft.bad_frame")
            await self._all_is_well()
        status = self._status()
        self.assertEqual(("leader", term), (status["role"], status["term"]))

    async def test_flood_of_connections(self) -> None:
        """Goal: strangers at the port cost the leader little, and keep no node out. Method: while
        one address connects as fast as it can, messages flow, no node stops serving, and a node
        that is killed and started links and serves again."""
        node = self.cluster.node(self.node_id)
        flood = subprocess.Popen([sys.executable, "-B", str(FLOOD), node.host,
                                  str(node.ports["link"]), FLOOD_SOURCE])
        try:
            for _ in range(4):
                await self._flows()
            await asyncio.to_thread(self.cluster.kill, self.liar)
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                await self.cluster.start(self.liar)
            await self._all_is_well()
            self.assertIsNone(flood.poll(), "the flood has ended by itself")
        finally:
            flood.kill()
            flood.wait()
        for node_id in self.cluster.ids:
            self.assertFalse(self._says(node_id, "core.ceased"), f"node {node_id}")
