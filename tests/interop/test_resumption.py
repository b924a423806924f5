"""TLS session tickets: made by one node, good on every other (RFC 5077, RFC 8446 2.2)."""

import asyncio
import base64
import re
import socket
import ssl
import tempfile
from pathlib import Path

from tests.interop.scene import InteropTest
from tests.lib.cluster import PASSWORD
from tests.lib.scram import Scram
from tests.lib.xmpp_stream import SASL_NS, Address, XmppStream

TIMEOUT_S = 10.0
EXPORTER_LABEL, EXPORTER_BYTES = "EXPORTER-Channel-Binding", 32  # RFC 9266 §4
MECHANISM = "SCRAM-SHA-256-PLUS"


class OpensslClient:
    """A stream through openssl s_client, which tells the exported keying material (Python's ssl
    does not) and keeps the session in a file for the next connection."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said = ""

    @classmethod
    async def connect(cls, address: Address, domain: str, session_in: Path | None,
                      session_out: Path) -> "OpensslClient":
        """Direct TLS 1.3, with the session of session_in."""
        words = ["openssl", "s_client", "-connect", f"{address.host}:{address.port}", "-tls1_3",
                 "-servername", domain, "-keymatexport", EXPORTER_LABEL, "-keymatexportlen",
                 str(EXPORTER_BYTES), "-sess_out", str(session_out), "-nocommands"]
        if session_in is not None:
            words += ["-sess_in", str(session_in)]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(
            *words, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL))

    def send(self, text: str) -> None:
        """Through TLS."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())

    async def until(self, pattern: str) -> str:
        """What the pattern's group matches in what the server, or s_client itself, says."""
        assert self._process.stdout is not None
        while (match := re.search(pattern, self._said)) is None:
            part = await asyncio.wait_for(self._process.stdout.read(65536), TIMEOUT_S)
            if not part:
                raise AssertionError(f"the end instead of {pattern}: {self._said}")
            self._said += part.decode(errors="replace")
        return match.group(1)

    async def close(self) -> None:
        """End the connection."""
        self._process.terminate()
        await self._process.wait()


class Resumption(InteropTest):
    """A client of Python's ssl module on the direct TLS ports, which shows what was reused."""

    def _context(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.cluster.cluster.ca))
        context.minimum_version = context.maximum_version = version
        return context

    def _connect(self, context: ssl.SSLContext, node: int,
                 session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        """One stream to a node: whether TLS was resumed, and the session that was given for later.
        On TLS 1.3 it comes with the first bytes that the server sends."""
        address = self.cluster.addresses(node, direct=True)[0]
        domain = self.cluster.cluster.domain
        with socket.create_connection((address.host, address.port), TIMEOUT_S) as plain:
            with context.wrap_socket(plain, server_hostname=domain, session=session) as tls:
                tls.sendall(f"<stream:stream xmlns='jabber:client' to='{domain}' version='1.0' "
                            "xmlns:stream='http://etherx.jabber.org/streams'>".encode())
                answer = b""
                while b"</stream:features>" not in answer:
                    part = tls.recv(4096)
                    self.assertNotEqual(b"", part, answer)
                    answer += part
                return bool(tls.session_reused), tls.session

    async def test_ticket_is_good_on_every_node(self) -> None:
        """A ticket of node 1 resumes TLS on nodes 2 and 3; without one nothing is resumed."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self._context(version)
            reused, session = self._connect(context, 1, None)
            self.assertFalse(reused)
            for node in (2, 3, 1):
                reused, session = self._connect(context, node, session)
                self.assertTrue(reused, f"{version.name}: node {node} does not know the ticket")

    async def test_ticket_outlives_its_maker(self) -> None:
        """The keys are in the state: a node that was killed and came back knows them."""
        context = self._context(ssl.TLSVersion.TLSv1_3)
        _, session = self._connect(context, 1, None)
        self.cluster.kill(1)
        reused, session = self._connect(context, 2, session)
        self.assertTrue(reused)
        await self.cluster.start(1)
        await self.cluster.wait_serving(1, 30)
        reused, _ = self._connect(context, 1, session)
        self.assertTrue(reused)

    async def test_exporter_of_a_resumed_session(self) -> None:
        """tls-exporter binds SCRAM to a connection whose TLS session another node began (RFC 9266
        §2: each connection has its own value, also a resumed one)."""
        self.cluster.add_user("bound")
        values = []
        with tempfile.TemporaryDirectory() as folder:
            session = None
            for node, how in ((1, "New"), (2, "Reused"), (3, "Reused")):
                fresh = Path(folder) / f"session-{node}"
                client = await OpensslClient.connect(
                    self.cluster.addresses(node, direct=True)[0], self.cluster.cluster.domain,
                    session, fresh)
                self.assertEqual(how, await client.until(r"(New|Reused), TLSv1.3"))
                value = bytes.fromhex(await client.until(r"Keying material: ([0-9A-F]{64})"))
                await self._login(client, value)
                await client.close()
                values.append(value)
                session = fresh
        self.assertEqual(3, len(set(values)))

    async def _login(self, client: OpensslClient, exported: bytes) -> None:
        """SCRAM-SHA-256-PLUS with the exported value; the server must prove itself too."""
        scram = Scram(MECHANISM, "bound", PASSWORD, exported, binding_type="tls-exporter")
        client.send("<stream:stream xmlns='jabber:client' version='1.0' xmlns:stream="
                    f"'http://etherx.jabber.org/streams' to='{self.cluster.cluster.domain}'>")
        self.assertIn("tls-exporter", await client.until(r"(<stream:features.*</stream:features>)"))
        first = base64.b64encode(scram.first()).decode()
        client.send(f"<auth xmlns='{SASL_NS}' mechanism='{MECHANISM}'>{first}</auth>")
        challenge = base64.b64decode(await client.until(r"<challenge[^>]*>([^<]+)<"))
        final = base64.b64encode(scram.final(challenge)).decode()
        client.send(f"<response xmlns='{SASL_NS}'>{final}</response>")
        scram.verify(base64.b64decode(await client.until(r"<success[^>]*>([^<]+)<")))

    async def test_equal_decoys(self) -> None:
        """All nodes give the same salt and iterations for an account that does not exist, another
        salt for another one, and go on doing so after a restart (RFC 5802 §9)."""
        before = [await self._challenge(node, "nobody") for node in self.cluster.ids]
        self.assertEqual(1, len(set(before)), before)
        self.assertNotEqual(before[0], await self._challenge(1, "noone"))
        self.cluster.kill(2)
        await self.cluster.start(2)
        self.assertEqual(before[0], await self._challenge(2, "nobody"))

    async def _challenge(self, node: int, user: str) -> tuple[str, str]:
        """Salt and iterations."""
        stream = XmppStream(self.cluster.cluster.domain, str(self.cluster.cluster.ca))
        await stream.connect(self.cluster.addresses(node, direct=True)[0])
        scram = Scram("SCRAM-SHA-256", user, PASSWORD)
        first = base64.b64encode(scram.first()).decode()
        stream.send(f"<auth xmlns='{SASL_NS}' mechanism='SCRAM-SHA-256'>{first}</auth>")
        challenge = await stream.expect(f"{{{SASL_NS}}}challenge")
        stream.abort()
        fields = dict(part.split("=", 1)
                      for part in base64.b64decode(challenge.text or "").decode().split(","))
        return fields["s"], fields["i"]
