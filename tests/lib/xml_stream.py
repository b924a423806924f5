"""Cut the bytes of an XMPP stream into its header and its top-level elements.

Own framing, because expat may hold back an element that is already complete (reparse deferral),
and a test client that sees stanzas late counts them late. Relies on the peer sending
well-formed XML; ElementTree, which reads each piece afterwards, complains if it is not.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

STREAM_NS = "http://etherx.jabber.org/streams"


@dataclass
class StreamHeader:
    """The opening tag of the stream."""

    attributes: dict[str, str]


@dataclass
class StreamEnd:
    """The closing tag of the stream."""


class StreamCutter:
    """Bytes in, header, elements and end out."""

    def __init__(self) -> None:
        self._buffer = b""
        self._scanned = 0  # everything before it belongs to complete tags of the current piece
        self._depth = 0
        self._header: bytes | None = None

    def feed(self, data: bytes) -> list[StreamHeader | ET.Element | StreamEnd]:
        """Take bytes, cut anywhere; returns what they complete."""
        self._buffer += data
        events: list[StreamHeader | ET.Element | StreamEnd] = []
        while (tag := self._next_tag()) is not None:
            event = self._take_tag(tag)
            if event is not None:
                events.append(event)
        return events

    def _next_tag(self) -> bytes | None:
        """The next complete tag or declaration; _scanned then stands behind it."""
        begin = self._buffer.find(b"<", self._scanned)
        if begin < 0:
            return None
        if self._buffer.startswith(b"<![CDATA[", begin):
            end = self._buffer.find(b"]]>", begin)
            end = end + 2 if end >= 0 else -1
        else:
            end = _tag_end(self._buffer, begin)
        if end < 0:
            return None
        self._scanned = end + 1
        return self._buffer[begin:end + 1]

    def _take_tag(self, tag: bytes) -> StreamHeader | ET.Element | StreamEnd | None:
        if tag.startswith(b"<?") and self._buffer[:self._scanned].strip() == tag:
            self._header = None  # a new stream begins
            return None
        if tag.startswith((b"<?", b"<![CDATA[")):
            return None
        if self._header is None:
            self._header = tag
            self._drop_piece()
            root = ET.fromstring(tag + self._closing())
            return StreamHeader(dict(root.attrib))
        if tag.startswith(b"</"):
            if self._depth == 0:
                return StreamEnd()
            self._depth -= 1
        elif not tag.endswith(b"/>"):
            self._depth += 1
        if self._depth > 0:
            return None
        piece = self._drop_piece()
        return ET.fromstring(self._header + piece + self._closing())[0]

    def _drop_piece(self) -> bytes:
        piece = self._buffer[:self._scanned]
        self._buffer = self._buffer[self._scanned:]
        self._scanned = 0
        return piece

    def _closing(self) -> bytes:
        assert self._header is not None
        return b"</" + self._header[1:].split(None, 1)[0].rstrip(b">") + b">"


def _tag_end(data: bytes, begin: int) -> int:
    """Position of the '>' that ends the tag at begin, or -1; '>' may stand inside quotes."""
    quote = 0
    for position in range(begin, len(data)):
        byte = data[position]
        if quote:
            if byte == quote:
                quote = 0
        elif byte in b"\"'":
            quote = byte
        elif byte == 0x3E:
            return position
    return -1
