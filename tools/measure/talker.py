"""A client that spends as little time on itself as it can: it blocks, and reads when it is told to.

For figures of what the servers need. Whatever else comes while it waits stays in its socket.
"""

import base64
import socket
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from tests.lib.scram import plain
from tests.lib.xml_stream import STREAM_NS, StreamCutter
from tests.lib.xmpp_stream import SASL_NS, Address, tls_context

READ_BYTES = 65536
WAIT_S = 10.0
CLIENT_NS = "jabber:client"
BIND_NS = "urn:ietf:params:xml:ns:xmpp-bind"
SM_NS = "urn:xmpp:sm:3"


class Talker:
    """An available resource with XEP-0198, over direct TLS (XEP-0368)."""

    def __init__(self, jid: str, password: str, address: Address, ca: str) -> None:
        self._user, self._domain = jid.split("@")
        context = tls_context(ca)
        context.set_alpn_protocols(["xmpp-client"])
        plain_socket = socket.create_connection((address.host, address.port), WAIT_S)
        plain_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain_socket, server_hostname=self._domain)
        self._cutter = StreamCutter()
        self._events: list[object] = []
        self._handled = 0
        self.full_jid = ""
        self._log_in(password)

    def close(self) -> None:
        """Say good-bye."""
        self._send("</stream:stream>")
        self._socket.close()

    def send_message(self, to: str, body: str) -> float:
        """A message, and the question whether it arrived. Returns when it left."""
        stanza = (f"<message to={quoteattr(to)} type='chat' id={quoteattr(body)}>"
                  f"<body>{escape(body)}</body></message><r xmlns='{SM_NS}'/>").encode()
        left_at = time.monotonic()
        self._socket.sendall(stanza)
        return left_at

    def wait_acknowledged(self) -> None:
        """Until the server has answered what send_message() asked."""
        self._expect(f"{{{SM_NS}}}a")

    def wait_message(self, body: str) -> float:
        """Until a message with this body is here. Returns when its bytes were."""
        marks = f"<body>{escape(body)}</body>".encode()
        data = self._socket.recv(READ_BYTES)
        here_at = time.monotonic()
        while marks not in data:
            more = self._socket.recv(READ_BYTES)
            here_at = time.monotonic()
            if not more:
                raise EOFError("the server closed the connection")
            data += more
        self._events += self._cutter.feed(data)
        self._expect(f"{{{CLIENT_NS}}}message")
        return here_at

    def _log_in(self, password: str) -> None:
        self._open_stream()
        secret = base64.b64encode(plain(self._user, password)).decode()
        self._send(f"<auth xmlns='{SASL_NS}' mechanism='PLAIN'>{secret}</auth>")
        self._expect(f"{{{SASL_NS}}}success")
        self._open_stream()
        self._send(f"<iq type='set' id='bind'><bind xmlns='{BIND_NS}'/></iq>")
        self.full_jid = self._expect(f"{{{CLIENT_NS}}}iq").findtext(f".//{{{BIND_NS}}}jid") or ""
        self._send(f"<enable xmlns='{SM_NS}'/>")
        self._expect(f"{{{SM_NS}}}enabled")
        self._handled = 0
        self._send(f"<presence/><r xmlns='{SM_NS}'/>")
        self.wait_acknowledged()

    def _open_stream(self) -> None:
        self._cutter = StreamCutter()
        self._send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                   f"xmlns:stream='{STREAM_NS}' to={quoteattr(self._domain)} version='1.0'>")
        self._expect(f"{{{STREAM_NS}}}features")

    def _send(self, text: str) -> None:
        self._socket.sendall(text.encode())

    def _expect(self, tag: str) -> ET.Element:
        """The next element with this tag. What comes before it is counted, or answered."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            while self._events:
                event = self._events.pop(0)
                if not isinstance(event, ET.Element):
                    continue
                self._handled += event.tag.startswith(f"{{{CLIENT_NS}}}")
                if event.tag == f"{{{SM_NS}}}r":
                    self._send(f"<a xmlns='{SM_NS}' h='{self._handled}'/>")
                if event.tag == tag:
                    return event
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise EOFError("the server closed the connection")
            self._events += self._cutter.feed(data)
        raise TimeoutError(f"no {tag}")
