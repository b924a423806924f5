"""Streams that are no good XML, or none at all, before and after the login."""

import asyncio

from tests.hostile.peer import Peer, header
from tests.hostile.scene import HostileCase

HELLO = header()
NEGOTIATION_S = 5
STANZA_S = 5
MIB = 1024 * 1024

# What a stranger sends instead of a stream -> the condition of the stream error.
BAD_STREAMS = {
    "GET / HTTP/1.1\r\nHost: example.test\r\n\r\n": "not-well-formed",
    "\x00\x01\x02\x03": "unsupported-encoding",
    "<stream:stream to='example.test'>": "not-well-formed",  # undeclared prefix
    "<a></b>": "invalid-namespace",  # the first tag is judged when it is there
    header(declaration="<?xml version='1.0' encoding='ISO-8859-1'?>"): "unsupported-encoding",
    header(stream_ns="urn:wrong"): "invalid-namespace",
    header(ns="jabber:server"): "invalid-namespace",
    header(ns="urn:wrong"): "invalid-namespace",
    header(version="0.9"): "unsupported-version",
    header(version="one"): "unsupported-version",
    header().replace(" version='1.0'>", ">"): "unsupported-version",
    header(to="elsewhere.test"): "host-unknown",
    header(to="a b"): "host-unknown",
    header(to="x" * 5000): "host-unknown",
    header().replace("stream:stream", "stream:flood"): "bad-format",
    "<!DOCTYPE x [<!ENTITY a 'b'>]>" + header(): "restricted-xml",
    "<?xml version='1.0'?><!-- hello -->" + header(): "restricted-xml",
    "<?xml version='1.0'?><?php x?>" + header(): "restricted-xml",
    header() + "<!-- -->": "restricted-xml",
    header() + "<?pi?>": "restricted-xml",
    header() + "<message><body>&lol;</body>": "restricted-xml",
    header() + "<a><b></a>": "not-well-formed",
    header() + "<a x='1' x='2'/>": "not-well-formed",
    header() + "<a x=1/>": "not-well-formed",
    header() + "<p:a/>": "not-well-formed",
    header() + "<a>\x01</a>": "not-well-formed",
    header() + "text": "bad-format",
    header() + "<message/>": "not-authorized",
    header() + "<presence/>": "not-authorized",
    header() + "<iq type='get' id='1'/>": "not-authorized",
    header() + "<resume xmlns='urn:xmpp:sm:3' previd='00' h='0'/>": "not-authorized",
    header() + "<zebra xmlns='urn:zebra'/>": "unsupported-stanza-type",
    header() + "<a>" * 1000: "policy-violation",
    header() + "<a " + " ".join(f"a{n}='x'" for n in range(1000)) + "/>": "policy-violation",
}
BAD_BYTES = {  # the same for what is no text
    b"<a>\xff\xfe</a>": "not-well-formed",
    b"<a x='\xc3\x28'/>": "not-well-formed",
    b"<a>\xed\xa0\x80</a>": "not-well-formed",  # half of a surrogate pair
    b"<a>\xf8\x88\x80\x80\x80</a>": "not-well-formed",
}
# What one who has logged in sends -> the condition.
BAD_STANZAS = {
    b"<message to='x'><!-- --></message>": "restricted-xml",
    b"<message to='x'><body>&lol;</body></message>": "restricted-xml",
    b"<message to='x'><body>\xff</body></message>": "not-well-formed",
    b"<message to='x'></body></message>": "not-well-formed",
    b"<message><a>" * 20000: "policy-violation",
    b"<message><x>" + b"<a/>" * 100000: "policy-violation",
    b"<message " + b" ".join(b"a%d='x'" % n for n in range(100000)) + b"/>": "policy-violation",
    b"<message><body>" + b"x" * (10 * MIB) + b"</body></message>": "policy-violation",
    b"<" + b"x" * (10 * MIB): "policy-violation",
    b"<message id='" + b"x" * (10 * MIB) + b"'/>": "policy-violation",
    b"<message xmlns='jabber:server' to='x'/>": "unsupported-stanza-type",
    b"<zebra xmlns='urn:zebra'/>": "unsupported-stanza-type",
    b"between stanzas": "bad-format",
}


class Xml(HostileCase):
    """RFC 6120 section 4.9.3: the right stream error, then the end."""

    timers = [f"negotiation_s={NEGOTIATION_S}", f"stanza_s={STANZA_S}"]

    async def test_bad_streams(self) -> None:
        """Every wrong beginning gets a header, its stream error and the footer (4.9.1.2)."""
        cases = {text.encode(): condition for text, condition in BAD_STREAMS.items()}
        cases |= {HELLO.encode() + data: condition for data, condition in BAD_BYTES.items()}
        for data, condition in cases.items():
            with self.subTest(data[:200]):
                peer = await self.stranger()
                await peer.pour(data)
                words = await peer.last_words()
                self.assertEqual(["header", f"error {condition}", "end"],
                                 [word for word in words if not word.startswith("features")])

    async def test_http_on_the_clear_port(self) -> None:
        """A browser that found the port is told so in XML and let go."""
        peer = await self.peer().dial(self.address(direct=False))
        await peer.pour(b"GET / HTTP/1.1\r\nHost: example.test\r\nUser-Agent: x\r\n\r\n")
        self.assertEqual(["header", "error not-well-formed", "end"], await peer.last_words())

    async def test_bad_stanzas(self) -> None:
        """Bad XML from a session ends its stream with the error, however much more was sent."""
        user, password = self.account()
        for data, condition in BAD_STANZAS.items():
            with self.subTest(data[:200]):
                peer = await self.peer().log_in(self.address(), user, password)
                await peer.bind()
                writing = asyncio.create_task(peer.pour(data))
                self.assertEqual([f"error {condition}", "end"], await peer.last_words())
                writing.cancel()

    async def test_slow_strangers(self) -> None:
        """Who does not log in and bind within the time is let go, with a timeout.

        One is silent, one in clear, one in the middle of the handshake, one sends half a tag, one a
        byte at a time, one has logged in and binds nothing.
        """
        silent = await self.stranger()
        unopened = await self.peer().dial(self.address(direct=False))
        handshaking = await self.peer().dial(self.address())
        await handshaking.pour(b"\x16\x03\x01\x02\x00\x01")
        half = await self.stranger()
        await half.pour(b"<stream:stream to='exa")
        slow = await self.stranger()
        dripping = asyncio.create_task(drip(slow, HELLO + "<auth" + " " * 1000))
        ready = await self.peer().log_in(self.address(), *self.account())
        ends = await asyncio.gather(*(peer.last_words(NEGOTIATION_S + 3.0)
                                      for peer in (silent, unopened, half, slow, ready)),
                                    handshaking.whatever_comes())
        dripping.cancel()
        for words in ends[:-1]:
            self.assertEqual(["error connection-timeout", "end"], words[-2:])
        self.assertEqual(b"", ends[-1])

    async def test_endless_stanza(self) -> None:
        """A session that never ends a stanza is let go: with a timeout, or detached to resume.

        Half a stanza and silence, a byte now and then, and a session with XEP-0198.
        """
        half, slow, resumable = [await self.bound() for _ in range(3)]
        await resumable.enable()
        tasks = [asyncio.create_task(drip(peer, "<message><body>" + "x" * 1000))
                 for peer in (slow, resumable)]
        await half.pour(b"<message><body>")
        ends = await asyncio.gather(*(peer.last_words(STANZA_S + 3.0)
                                      for peer in (half, slow, resumable)))
        for task in tasks:
            task.cancel()
        for words in ends[:-1]:
            self.assertEqual(["error connection-timeout", "end"], words)
        self.assertEqual([], ends[-1])


async def drip(peer: Peer, text: str) -> None:
    """Send a byte now and then."""
    for character in text:
        await peer.pour(character.encode())
        await asyncio.sleep(0.05)
