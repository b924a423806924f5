"""Bytes that are no TLS, and TLS that breaks in the middle."""

import asyncio
import base64
import os
import random

from tests.hostile.peer import Peer, RecordPeer, header
from tests.hostile.scene import HostileCase
from tests.lib.scram import plain
from tests.lib.xmpp_stream import SASL_NS, TLS_NS, Address

GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + b"\x00" * 70000,           # a record longer than records may be
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",         # a truncated ClientHello
    b"\x80\x2e\x01\x00\x02" + b"\x00" * 64,              # an SSLv2 hello
    b"\x15\x03\x03\x00\x02\x02\x28",                     # an alert before anything
]
OLD_HELLO = bytes.fromhex("160302002f0100002b0302" + "ab" * 32 + "00" + "0004c013002f" + "0100")
PROTOCOL_VERSION = b"\x02\x46"                           # a fatal alert (RFC 8446 section 6)
LINK_TICK_S = 0.05                                       # between two handfuls of handshakes
BROKEN_RECORD = b"\x17\x03\x03\x00\x20" + b"\xaa" * 32   # fails its authentication


class Tls(HostileCase):
    """The TLS layer of the client ports and of the link between nodes."""

    async def test_garbage_on_direct_tls(self) -> None:
        """Garbage instead of a ClientHello ends the connection with an alert or none, at once."""
        noise = random.Random(1)
        for garbage in [*GARBAGE, noise.randbytes(5000)]:
            peer = await self.peer().dial(self.address())
            await peer.pour(garbage)
            peer.finish_writing()
            answer = await peer.whatever_comes()
            self.assertIn(answer[:1], (b"", b"\x15"), "neither silence nor an alert")

    async def test_alert(self) -> None:
        """Who speaks another TLS is told by an alert, even if it goes on without listening."""
        for rest in (b"", b"\x00" * 300_000):
            peer = await self.peer().dial(self.address())
            await peer.pour(OLD_HELLO + rest)
            answer = await peer.whatever_comes()
            self.assertEqual(b"\x15", answer[:1])
            self.assertEqual(PROTOCOL_VERSION, answer[5:7])

    async def test_garbage_after_starttls(self) -> None:
        """Garbage where the handshake should begin: no XML comes back, the connection ends."""
        for garbage in GARBAGE:
            peer = await self.peer().dial(self.address(direct=False))
            await peer.open()
            await peer.ask(f"<starttls xmlns='{TLS_NS}'/>", f"{{{TLS_NS}}}proceed")
            await peer.pour(garbage)
            peer.finish_writing()
            self.assertIn((await peer.whatever_comes())[:1], (b"", b"\x15"))

    async def test_clear_text_behind_starttls(self) -> None:
        """What stands in clear behind <starttls/> is no part of the stream (CVE-2011-0411)."""
        peer = await self.peer().dial(self.address(direct=False))
        await peer.open()
        await peer.ask(f"<starttls xmlns='{TLS_NS}'/>{header()}<message to='x'>",
                       f"{{{TLS_NS}}}proceed")
        await peer.upgrade()
        await peer.open()
        self.assertEqual("success", await peer.answer(
            f"<auth xmlns='{SASL_NS}' mechanism='PLAIN'>"
            f"{base64.b64encode(plain(*self.account())).decode()}</auth>"))
        peer.abort()

    async def test_bad_xml_and_broken_record_at_once(self) -> None:
        """A stream error and a TLS failure in the same read: only this connection ends."""
        for clear in (b"<no/>", header().encode() + b"<message/></stream:stream>",
                      header().encode() + b"</stream:stream>"):
            peer = RecordPeer(self.address(), self.cluster.cluster.domain,
                              self.cluster.cluster.ca)
            await peer.connect()
            await peer.send_and_wait(peer.records(clear) + BROKEN_RECORD)

    async def _knock(self) -> Peer | None:
        """At the port between nodes; None: reset at once, for too many come in a moment."""
        node = self.cluster.cluster.node(self.node_id)
        try:
            return await self.peer().dial(Address(node.host, node.ports["link"]))
        except ConnectionResetError:
            return None

    async def test_garbage_on_the_link(self) -> None:
        """The port between nodes refuses whoever is no node, and the cluster does not feel it."""
        for garbage in [*GARBAGE, os.urandom(5000)]:
            while (peer := await self._knock()) is None:
                await asyncio.sleep(LINK_TICK_S)
            await peer.pour(garbage)
            peer.finish_writing()
            self.assertIn((await peer.whatever_comes())[:1], (b"", b"\x15"))

    async def test_strangers_crowd_the_link(self) -> None:
        """Silent connections to the port between nodes are few at a time and do not stay."""
        peers = [peer for _ in range(200) if (peer := await self._knock()) is not None]
        self.assertGreater(len(peers), 0)
        await asyncio.gather(*(peer.whatever_comes() for peer in peers))
