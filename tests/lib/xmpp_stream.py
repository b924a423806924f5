"""One connection of the test client: TCP, TLS, stream header, features, SASL.

What survives a connection (the session and its XEP-0198 lists) is in xmpp_client.py.
"""

import asyncio
import base64
import hashlib
import ssl
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from tests.lib.scram import PREFERRED, AuthenticationError, Scram, plain
from tests.lib.xml_stream import STREAM_NS, StreamCutter, StreamEnd, StreamHeader

TLS_NS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL_NS = "urn:ietf:params:xml:ns:xmpp-sasl"
READ_BYTES = 65536


class StreamError(Exception):
    """The stream ended: an error of the server, or the connection broke."""


@dataclass(frozen=True)
class Address:
    """Where a server listens; direct: TLS from the first byte (XEP-0368)."""

    host: str
    port: int
    direct: bool = False


def tls_context(ca: str | None) -> ssl.SSLContext:
    """Trust the given CA, or (None) anybody: for servers whose certificate no test made."""
    context = ssl.create_default_context(cafile=ca)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class XmppStream:
    """A connection with its stream; read with receive(), write with send()."""

    def __init__(self, domain: str, ca: str | None) -> None:
        self.domain = domain
        self.features = ET.Element("none")
        self.mechanism = ""
        self._ca = ca
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._cutter = StreamCutter()
        self._events: list[StreamHeader | ET.Element | StreamEnd] = []
        self._open = False

    async def connect(self, address: Address) -> None:
        """TCP and TLS, up to the features that an encrypted stream offers."""
        context = tls_context(self._ca)
        if address.direct:
            context.set_alpn_protocols(["xmpp-client"])
            self._reader, self._writer = await asyncio.open_connection(
                address.host, address.port, ssl=context, server_hostname=self.domain)
            self._open = True
        else:
            self._reader, self._writer = await asyncio.open_connection(address.host, address.port)
            self._open = True
            await self.open()
            if self.features.find(f"{{{TLS_NS}}}starttls") is None:
                raise StreamError("no starttls offered")
            self.send(f"<starttls xmlns='{TLS_NS}'/>")
            await self.expect(f"{{{TLS_NS}}}proceed")
            await self._writer.start_tls(context, server_hostname=self.domain)
        await self.open()

    async def open(self) -> None:
        """Send a stream header, at the begin or after TLS or SASL; leaves the features."""
        self._cutter = StreamCutter()
        self._events.clear()
        self.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                  f"xmlns:stream='{STREAM_NS}' to={quoteattr(self.domain)} version='1.0'>")
        header = await self._next_event()
        if not isinstance(header, StreamHeader):
            raise StreamError("no stream header")
        self.features = await self.expect(f"{{{STREAM_NS}}}features")

    async def authenticate(self, user: str, password: str, mechanism: str | None) -> None:
        """SASL by the mechanism, or the best one that is offered."""
        offered = [item.text or "" for item in self.features.iter(f"{{{SASL_NS}}}mechanism")]
        self.mechanism = mechanism or next(name for name in PREFERRED if name in offered)
        if self.mechanism == "PLAIN":
            self._send_auth(plain(user, password))
            await self._expect_sasl("success")
        else:
            scram = Scram(self.mechanism, user, password, self._end_point())
            self._send_auth(scram.first())
            challenge = await self._expect_sasl("challenge")
            answer = base64.b64encode(scram.final(challenge)).decode()
            self.send(f"<response xmlns='{SASL_NS}'>{answer}</response>")
            scram.verify(await self._expect_sasl("success"))
        await self.open()

    def _send_auth(self, initial: bytes) -> None:
        self.send(f"<auth xmlns='{SASL_NS}' mechanism='{self.mechanism}'>"
                  f"{base64.b64encode(initial).decode()}</auth>")

    async def _expect_sasl(self, name: str) -> bytes:
        element = await self.receive()
        if element.tag == f"{{{SASL_NS}}}failure":
            condition = " ".join(item.tag.split("}")[-1] for item in element)
            if "temporary-auth-failure" in condition:
                raise StreamError(condition)  # says nothing about the password: try elsewhere
            raise AuthenticationError(condition)
        if element.tag != f"{{{SASL_NS}}}{name}":
            raise StreamError(f"{element.tag} instead of {name}")
        return base64.b64decode(element.text or "")

    def _end_point(self) -> bytes:
        """tls-server-end-point; the certificates of the tests are signed with SHA-256."""
        tls = self._writer.get_extra_info("ssl_object")
        return hashlib.sha256(tls.getpeercert(binary_form=True)).digest()

    def send(self, text: str) -> None:
        """Write; a broken connection shows when reading."""
        if self._open and not self._writer.transport.is_closing():
            self._writer.write(text.encode())

    async def receive(self) -> ET.Element:
        """The next top-level element. A stream error or the end raises StreamError."""
        event = await self._next_event()
        is_second = isinstance(event, StreamHeader)
        if is_second:  # only to say why: it had not read our new header (RFC 6120 §4.9.1.2)
            event = await self._next_event()
        if isinstance(event, StreamEnd):
            raise StreamError("the server closed the stream")
        if not isinstance(event, ET.Element) or (
                is_second and event.tag != f"{{{STREAM_NS}}}error"):
            raise StreamError("a second stream header")
        if event.tag == f"{{{STREAM_NS}}}error":
            raise StreamError(" ".join(f"{item.tag.split('}')[-1]} {item.text or ''}".strip()
                                       for item in event))
        return event

    async def expect(self, tag: str) -> ET.Element:
        """The next element, which must be this one."""
        element = await self.receive()
        if element.tag != tag:
            raise StreamError(f"{element.tag} instead of {tag}")
        return element

    async def _next_event(self) -> StreamHeader | ET.Element | StreamEnd:
        while not self._events:
            try:
                data = await self._reader.read(READ_BYTES)
            except (OSError, ssl.SSLError) as error:
                raise StreamError(f"connection broken: {error}") from error
            if not data:
                raise StreamError("connection closed")
            self._events = self._cutter.feed(data)
        return self._events.pop(0)

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._open:
            self._open = False
            self._writer.transport.abort()

    async def close(self) -> None:
        """End the stream politely (RFC 6120 §4.4), without waiting for the peer's answer."""
        if self._open:
            self.send("</stream:stream>")
            self._open = False
            self._writer.close()
