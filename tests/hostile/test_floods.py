"""Too much of everything: connections, stanzas, pending messages, and clients that never read."""

import asyncio
import contextlib
import json
import statistics
import time
from pathlib import Path

from tests.hostile.peer import Peer
from tests.hostile.scene import ARRIVAL_TIMEOUT_S, PASSWORD, HostileCase
from tests.lib.xmpp_client import IQ, SM_NS
from tests.lib.xmpp_stream import StreamError

PENDING_MAX = 1000           # per session
CONNECTIONS_PER_ADDRESS = 8  # of all workers together, as this test sets it
CONNECTIONS = 400
CONNECTIONS_OF_NODE = 40     # as a test sets it
OUTPUT_BYTES = 256 * 1024    # as these tests set it; a connection holds four times as much
BOMB_MESSAGES = 70           # together more than that, and less than may be pending
BOMB = "x" * 50_000
WAITING = 300                # of LETTER: more than one connection may hold
ARRIVING = 150               # together no more than may be pending
LETTER = "x" * 8_000
READ_PAUSE_S = 0.003
IDLE_S = 10                  # until a client that takes nothing is given up
FLOOD_S = 2.0
RATE = 50                    # stanzas a second
RATED = 900                  # longer than a silent client would be let alone
DELAY_S = 0.1
POLL_S = 0.05


class Floods(HostileCase):
    """Limits hold, memory is bounded, and whoever is beyond a limit is told."""

    timers = ["idle_probe_s=5", "idle_dead_s=5"]
    growth_mib = 48.0  # stanzas that wait are in the state: 17 were seen
    limits = ["workers=4"]  # also where there is one core: limits are of a node, not of a worker

    def _limit(self, **limits: int) -> None:
        """Change limits of the node under attack while it runs, for this test."""
        config = Path(self.cluster.cluster.node(self.node_id).config)
        before = config.read_text()
        lines = before.splitlines()
        others = [line for line in lines if not line.startswith("limits:")]
        for line in set(lines) - set(others):
            limits = {**json.loads(line.removeprefix("limits:")), **limits}
        self.addCleanup(self.cluster.ask, self.node_id, "reload")
        self.addCleanup(config.write_text, before)
        config.write_text("\n".join([*others, f"limits: {json.dumps(limits)}", ""]))
        self.cluster.ask(self.node_id, "reload")

    async def test_connections_from_one_address(self) -> None:
        """Connections beyond the limit of an address are refused with resource-constraint.

        Other addresses are served, and when the flood is over that one as well.
        """
        self._limit(connections_per_address=CONNECTIONS_PER_ADDRESS)
        peers = [await self.peer().dial(self.address(direct=False), "127.0.0.66")
                 for _ in range(CONNECTIONS)]
        ends = await asyncio.gather(*(self._is_refused(peer) for peer in peers))
        held = ends.count(None)
        self.assertEqual(held, CONNECTIONS_PER_ADDRESS, "the limit does not hold")
        for words in ends:
            self.assertIn(words, (None, ["header", "error resource-constraint", "end"]))
        other = await self.peer().dial(self.address(direct=False), "127.0.0.67")
        await other.open()
        for peer in [*peers, other]:
            peer.abort()
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            while not await self._is_let_in("127.0.0.66"):
                await asyncio.sleep(POLL_S)

    async def _is_let_in(self, source: str) -> bool:
        """Whether one more from there may open a stream, now."""
        peer = await self.peer().dial(self.address(direct=False), source)
        try:
            await peer.open()
        except (StreamError, ConnectionError):
            return False
        finally:
            peer.abort()
        return True

    async def test_connections_of_a_node(self) -> None:
        """As many connections as the limit says, however the kernel spreads them over workers."""
        self._limit(connections=CONNECTIONS_OF_NODE)
        clear = self.address(direct=False)
        guests = [await self.peer().dial(clear) for _ in range(CONNECTIONS_OF_NODE - 1)]
        for peer in guests:  # with a bystander, they are all that may come
            await peer.open()
        others = [await self.peer().dial(clear) for _ in range(2 * CONNECTIONS_OF_NODE)]
        ends = await asyncio.gather(*(self._is_refused(peer) for peer in others + guests))
        for peer in guests + others:
            peer.abort()
        self.assertNotIn(None, ends[:len(others)])
        self.assertEqual([None] * len(guests), ends[len(others):])

    async def _is_refused(self, peer: Peer) -> list[str] | None:
        """The last words of the server; None: it lets the peer stay."""
        try:
            return await peer.last_words(1.0)
        except TimeoutError:
            return None

    async def test_pending_limit(self) -> None:
        """Beyond a thousand pending messages the sender gets resource-constraint.

        It is not stopped from sending to others.
        """
        victim = await self.peer().log_in(self.address(), *self.account())
        address = await victim.bind()
        await victim.enable()
        victim.abort()
        sender = await self.bound()
        await sender.enable()
        for number in range(PENDING_MAX + 10):
            sender.send(f"<message to='{address}' id='{number}'><body>x</body></message>")
        for number in range(PENDING_MAX, PENDING_MAX + 10):
            answer = await sender.receive()
            while answer.tag == f"{{{SM_NS}}}r":
                answer = await sender.receive()
            self.assertEqual(str(number), answer.get("id"))
            condition = answer.find("{jabber:client}error")[0].tag
            self.assertTrue(condition.endswith("resource-constraint"), condition)
        sender.send(f"<message to='{self.bystanders[0].jid}'><body>x</body></message>")
        sender.abort()

    async def test_never_reads(self) -> None:
        """A session whose client reads nothing is detached, and loses nothing.

        What is pending waits for its next connection, which brings all of it, even if it is more
        than a connection may hold.
        """
        self._limit(output_bytes=OUTPUT_BYTES)
        user, password = self.account()
        victim = await self.peer().log_in(self.address(), user, password)
        address = await victim.bind()
        previous = await victim.enable()
        victim.stop_reading()
        sender = await self.bound()
        for number in range(BOMB_MESSAGES):
            sender.send(f"<message to='{address}' id='{number}'><body>{BOMB}</body></message>")
        await sender.answer("<iq type='get' id='sync'/>")
        sender.abort()
        async with asyncio.timeout(IDLE_S + 6):
            while self._session_of(user)["state"] != "detached":
                await asyncio.sleep(0.1)
        victim.abort()
        peer = await self._resume(user, previous)
        self.assertEqual([str(number) for number in range(BOMB_MESSAGES)],
                         await self._take(peer, BOMB_MESSAGES))
        peer.abort()

    async def _resume(self, user: str, previous: str) -> Peer:
        """A new connection of a session whose client had received nothing."""
        peer = await self.peer().log_in(self.address(), user, PASSWORD)
        await peer.ask(f"<resume xmlns='{SM_NS}' h='0' previd='{previous}'/>",
                       f"{{{SM_NS}}}resumed")
        return peer

    async def _take(self, peer: Peer, count: int, pause_s: float = 0.0) -> list[str]:
        """The ids of so many messages, each followed by a pause, all of them acked."""
        received: list[str] = []
        while len(received) < count:
            element = await peer.receive()
            if element.tag == f"{{{SM_NS}}}r":
                peer.send(f"<a xmlns='{SM_NS}' h='{len(received)}'/>")
            elif element.tag == "{jabber:client}message":
                received.append(element.get("id", ""))
                await asyncio.sleep(pause_s)
        return received

    async def test_slow_resume(self) -> None:
        """A client that resumes to more than a connection may hold, and reads it slowly, gets all.

        Once and in order, on that one connection, while new messages come in behind.
        """
        self._limit(output_bytes=OUTPUT_BYTES)
        user, password = self.account()
        victim = await self.peer().log_in(self.address(), user, password)
        address = await victim.bind()
        previous = await victim.enable()
        victim.abort()
        sender = await self.bound()
        for number in range(WAITING):
            sender.send(f"<message to='{address}' id='{number}'><body>{LETTER}</body></message>")
        await sender.answer("<iq type='get' id='sync'/>")
        victim = await self._resume(user, previous)
        taking = asyncio.create_task(self._take(victim, WAITING + ARRIVING, READ_PAUSE_S))
        for number in range(WAITING, WAITING + ARRIVING):
            sender.send(f"<message to='{address}' id='{number}'><body>{LETTER}</body></message>")
            await asyncio.sleep(READ_PAUSE_S)
        async with asyncio.timeout(IDLE_S * 3):
            received = await taking
        self.assertEqual([str(number) for number in range(WAITING + ARRIVING)], received)
        sender.abort()
        victim.abort()

    def _session_of(self, user: str) -> dict:
        """What the node says of the user's one session."""
        jid = f"{user}@{self.cluster.cluster.domain}"
        sessions = self.cluster.ask(self.node_id, "session.list", user=jid)["sessions"]
        return sessions[0]

    async def test_stanza_flood(self) -> None:
        """A client that sends without end is read at the pace of the log; memory stays bounded."""
        peers = [await self.bound() for _ in range(4)]
        stanza = f"<message to='{self.new_user('sink')}' type='headline'>{'x' * 200}</message>"
        floods = [self._flood(peer, stanza.encode() * 100) for peer in peers]
        await asyncio.gather(*floods)
        for peer in peers:
            peer.abort()

    async def test_rate(self) -> None:
        """A client above its rate is read slower: nothing it sends is lost, nor is it cut.

        Others on the node are answered as fast as ever.
        """
        self._limit(stanzas_per_second=RATE, burst_seconds=1)
        victim, sender, other = [await self.bound() for _ in range(3)]
        address = await victim.ask("<iq type='get' id='who'/>", IQ)
        await victim.enable()
        began = time.monotonic()
        for number in range(RATED):
            sender.send(f"<message to='{address.get('to')}' id='{number}'/>")
        taking = asyncio.create_task(self._take(victim, RATED))
        delays = []
        while not taking.done():
            asked = time.monotonic()
            await other.answer("<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>")
            delays.append(time.monotonic() - asked)
            await asyncio.sleep(0.1)
        self.assertEqual([str(number) for number in range(RATED)], await taking)
        self.assertGreater(time.monotonic() - began, (RATED - 2 * RATE) / RATE)
        self.assertLess(statistics.median(delays), DELAY_S)
        self.assertEqual("iq error", await sender.answer("<iq type='get' id='still here'/>"))
        for peer in (victim, sender, other):
            peer.abort()

    async def test_question_flood(self) -> None:
        """A client that asks and never reads the answers is cut before they fill the memory."""
        peers = [await self.bound() for _ in range(4)]
        question = b"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"
        for peer in peers:
            peer.stop_reading()
        await asyncio.gather(*(self._flood(peer, question * 100) for peer in peers))
        for peer in peers:
            peer.abort()

    async def test_header_flood(self) -> None:
        """White space, and logins that never come, cost their senders a connection only."""
        peer = await self.stranger()
        await peer.open()
        await self._flood(peer, b" " * 100_000)
        peer.abort()

    async def _flood(self, peer: Peer, data: bytes) -> None:
        """Send for a while as fast as the server takes it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLOOD_S):
                while not peer.is_closed():
                    await peer.pour(data)
                    await asyncio.sleep(0)
