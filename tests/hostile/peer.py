"""A peer that may send anything at any time, and reads what it gets to the very end."""

import asyncio
import contextlib
import ssl
import xml.etree.ElementTree as ET

from tests.lib.xml_stream import STREAM_NS, StreamEnd, StreamHeader
from tests.lib.xmpp_client import BIND_NS, IQ, SM_NS
from tests.lib.xmpp_stream import Address, StreamError, XmppStream, tls_context

END_TIMEOUT_S = 8.0
READ_BYTES = 65536


def header(to: str = "example.test", ns: str = "jabber:client", stream_ns: str = STREAM_NS,
           version: str = "1.0", declaration: str = "<?xml version='1.0'?>") -> str:
    """A stream header, right or wrong."""
    return (f"{declaration}<stream:stream xmlns='{ns}' xmlns:stream='{stream_ns}' to='{to}' "
            f"version='{version}'>")


def outline(element: ET.Element) -> str:
    """The local name of an element and those of its children: 'error not-well-formed'."""
    return " ".join(item.tag.split("}")[-1] for item in (element, *element))


class Peer(XmppStream):
    """A connection on which nothing has to be as it should."""

    async def dial(self, address: Address, source: str = "127.0.0.1") -> "Peer":
        """TCP alone, from an address of choice: no TLS, no stream."""
        self._reader, self._writer = await asyncio.open_connection(
            address.host, address.port, local_addr=(source, 0))
        self._open = True
        return self

    async def secure(self, address: Address, source: str = "127.0.0.1") -> "Peer":
        """TCP and TLS; not a byte of XMPP. The address must be one for direct TLS."""
        context = tls_context(self._ca)
        context.set_alpn_protocols(["xmpp-client"])
        self._reader, self._writer = await asyncio.open_connection(
            address.host, address.port, ssl=context, server_hostname=self.domain,
            local_addr=(source, 0))
        self._open = True
        return self

    async def log_in(self, address: Address, user: str, password: str) -> "Peer":
        """Up to the features that are offered after SASL."""
        await self.connect(address)
        await self.authenticate(user, password, None)
        return self

    async def bind(self) -> str:
        """Bind a resource of the server's choice; returns the full address."""
        answer = await self.ask(f"<iq type='set' id='bind'><bind xmlns='{BIND_NS}'/></iq>", IQ)
        return answer.findtext(f"{{{BIND_NS}}}bind/{{{BIND_NS}}}jid", "")

    async def enable(self) -> str:
        """Switch XEP-0198 on; returns the id for a resume."""
        answer = await self.ask(f"<enable xmlns='{SM_NS}' resume='true'/>", f"{{{SM_NS}}}enabled")
        return answer.get("id", "")

    async def ask(self, text: str, tag: str) -> ET.Element:
        """Send, and expect this element."""
        self.send(text)
        return await self.expect(tag)

    async def answer(self, text: str) -> str:
        """Send; the outline of the next element, whatever it is."""
        self.send(text)
        return await self.next_outline()

    async def next_outline(self, timeout_s: float = END_TIMEOUT_S) -> str:
        """The outline of the next element."""
        return outline(await asyncio.wait_for(self.receive(), timeout_s))

    async def pour(self, data: bytes) -> None:
        """Write as much as the server takes before it closes."""
        with contextlib.suppress(OSError):  # reading tells how it ended
            self._writer.write(data)
            await self._writer.drain()

    def finish_writing(self) -> None:
        """Nothing more will come from us (TCP half-close)."""
        with contextlib.suppress(OSError):  # it has closed already
            self._writer.write_eof()

    async def upgrade(self) -> None:
        """TLS on a connection that had none."""
        await self._writer.start_tls(tls_context(self._ca), server_hostname=self.domain)

    def stop_reading(self) -> None:
        """Let everything lie that the server sends."""
        self._writer.transport.pause_reading()

    def is_closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return self._writer.transport.is_closing()

    async def rest(self, timeout_s: float = END_TIMEOUT_S) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(timeout_s):
            return await self._reader.read(-1)

    async def whatever_comes(self) -> bytes:
        """The same, where a reset is as good an end as any."""
        data = bytearray()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(END_TIMEOUT_S):
                while piece := await self._reader.read(READ_BYTES):
                    data += piece
        return bytes(data)

    async def last_words(self, timeout_s: float = END_TIMEOUT_S) -> list[str]:
        """Outlines of everything until the server closes; the stream's end is 'end'."""
        events = [*self._events, *self._cutter.feed(await self.rest(timeout_s))]
        return [describe(event) for event in events]


def describe(event: StreamHeader | ET.Element | StreamEnd) -> str:
    """One word or more for an event of the stream."""
    if isinstance(event, StreamHeader):
        return "header"
    return "end" if isinstance(event, StreamEnd) else outline(event)


class RecordPeer:
    """TLS by hand: for bytes that stand beside TLS records, not inside them."""

    def __init__(self, address: Address, domain: str, ca: str) -> None:
        self._address = address
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        context = tls_context(ca)
        context.set_alpn_protocols(["xmpp-client"])
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=domain)

    async def connect(self) -> None:
        """TCP and the handshake."""
        self._reader, self._writer = await asyncio.open_connection(
            self._address.host, self._address.port)
        while True:
            try:
                self._tls.do_handshake()
                self._writer.write(self._outgoing.read())
                return
            except ssl.SSLWantReadError:
                self._writer.write(self._outgoing.read())
                data = await self._reader.read(READ_BYTES)
                if not data:
                    raise StreamError("closed in the handshake") from None
                self._incoming.write(data)

    def records(self, clear: bytes) -> bytes:
        """Clear bytes as TLS records."""
        self._tls.write(clear)
        return self._outgoing.read()

    async def send_and_wait(self, data: bytes) -> None:
        """Write raw bytes, in one piece; wait until the server closes."""
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):  # a reset is an end as well
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._reader.read(-1)
        self._writer.close()
