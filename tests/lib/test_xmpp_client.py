"""The parts of the test client by themselves: framing, SCRAM, acknowledgements."""

import unittest
import xml.etree.ElementTree as ET

from tests.lib.scram import AuthenticationError, Scram
from tests.lib.xml_stream import StreamCutter, StreamEnd, StreamHeader
from tests.lib.xmpp_client import COUNT_MODULUS, Client, SessionLost, Settings

DOCUMENT = (b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' id='x>y' "
            b"xmlns:stream='http://etherx.jabber.org/streams'> <a xmlns='urn:a' h='7'/>"
            b"<message to='a'><body>1 &lt; 2</body><x><![CDATA[</x>]]></x></message>\n"
            b"<presence/></stream:stream>")
EXPECTED = ["header x>y", "{urn:a}a", "{jabber:client}message", "{jabber:client}presence", "end"]


def _names(cutter: StreamCutter, data: bytes) -> list[str]:
    names = []
    for event in cutter.feed(data):
        if isinstance(event, StreamHeader):
            names.append("header " + event.attributes["id"])
        elif isinstance(event, StreamEnd):
            names.append("end")
        else:
            names.append(event.tag)
    return names


class Framing(unittest.TestCase):
    """The stream cutter."""

    def test_every_split(self) -> None:
        """Framing does not depend on how TCP cuts the bytes. Method: two pieces, every cut."""
        for cut in range(len(DOCUMENT) + 1):
            cutter = StreamCutter()
            names = _names(cutter, DOCUMENT[:cut]) + _names(cutter, DOCUMENT[cut:])
            self.assertEqual(EXPECTED, names, cut)

    def test_second_stream(self) -> None:
        """A server that had not read the new header of its client begins another stream, to say why
        it ends."""
        second = b"<?xml version='1.0'?>" + DOCUMENT.partition(b"?>")[2]
        cutter = StreamCutter()
        first = DOCUMENT.removesuffix(b"</stream:stream>")
        self.assertEqual(EXPECTED[:-1] + EXPECTED, _names(cutter, first + b" " + second))

    def test_prompt(self) -> None:
        """An element is out with its last byte. Method: one byte at a time."""
        cutter = StreamCutter()
        for position in range(len(DOCUMENT)):
            out = _names(cutter, DOCUMENT[position:position + 1])
            if DOCUMENT[:position + 1].endswith((b"h='7'/>", b"</message>", b"<presence/>")):
                self.assertEqual(1, len(out))

    def test_content(self) -> None:
        """An element keeps its text and children."""
        message = StreamCutter().feed(DOCUMENT)[2]
        assert isinstance(message, ET.Element)
        self.assertEqual("1 < 2", message.findtext("{jabber:client}body"))
        self.assertEqual("</x>", message.findtext("{jabber:client}x"))


class ScramVectors(unittest.TestCase):
    """The examples of the RFCs."""

    def _exchange(self, mechanism: str, nonce: str, challenge: str, final: str,
                  outcome: str) -> None:
        scram = Scram(mechanism, "user", "pencil", nonce=nonce)
        self.assertEqual(f"n,,n=user,r={nonce}".encode(), scram.first())
        self.assertEqual(final.encode(), scram.final(challenge.encode()))
        scram.verify(outcome.encode())
        with self.assertRaises(AuthenticationError):
            scram.verify(b"v=AAAA")

    def test_sha_1(self) -> None:
        """RFC 5802 section 5."""
        self._exchange(
            "SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
            "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")

    def test_sha_256(self) -> None:
        """RFC 7677 section 3."""
        self._exchange(
            "SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
            "i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


class Acknowledgements(unittest.TestCase):
    """The list of unacknowledged stanzas."""

    def _client(self, stanzas: int, h: int) -> Client:
        client = Client(Settings("a@b", "", [], None))
        client._peer_handled = h
        client.unacked.extend(f"<message id='{number}'/>" for number in range(stanzas))
        return client

    def test_wrap(self) -> None:
        """h goes on from 2^32 - 1 at 0 (XEP-0198 section 4)."""
        client = self._client(4, COUNT_MODULUS - 2)
        client._take_ack(1)
        self.assertEqual(["<message id='3'/>"], list(client.unacked))
        self.assertEqual(3, client.acked_messages)

    def test_too_many(self) -> None:
        """A server that acknowledges what was not sent is found out."""
        with self.assertRaises(SessionLost):
            self._client(2, 5)._take_ack(8)
