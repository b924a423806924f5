"""TLS session tickets: made by one node, good on every other (RFC 5077, RFC 8446 2.2)."""

import socket
import ssl

from tests.interop.scene import InteropTest

TIMEOUT_S = 10.0


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
