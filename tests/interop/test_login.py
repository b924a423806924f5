"""Logging in: every mechanism on both kinds of port, and refusals."""

from tests.interop.scene import InteropTest
from tests.lib.cluster import PASSWORD
from tests.lib.scram import PREFERRED, AuthenticationError


class Login(InteropTest):
    """Our own client, which takes the mechanism it is told, and slixmpp, which chooses."""

    async def test_mechanisms(self) -> None:
        """Each mechanism works after STARTTLS and on the direct TLS port (XEP-0368)."""
        jid = self.account("alice")
        for direct in (False, True):
            for mechanism in PREFERRED:
                client = self.cluster.client(jid, 1, direct, mechanism=mechanism)
                await client.start()
                self.assertEqual(jid, client.full_jid.split("/")[0])
                await client.close()

    async def test_refused(self) -> None:
        """A wrong password and an unknown user get the same answer."""
        jid = self.account("alice")
        for who, password in ((jid, "wrong"), (f"nobody@{self.cluster.cluster.domain}", PASSWORD)):
            for mechanism in PREFERRED:
                client = self.cluster.client(who, 1, mechanism=mechanism)
                client.settings.password = password
                with self.assertRaisesRegex(AuthenticationError, "not-authorized"):
                    await client.start()

    async def test_slixmpp_binds_the_channel(self) -> None:
        """slixmpp logs in with -PLUS, which it computes by tls-unique also on TLS 1.3."""
        alice = await self.person("alice", 1)
        self.assertEqual("SCRAM-SHA-256-PLUS",
                         alice.client.xmpp["feature_mechanisms"].mech.name)

    async def test_resource_conflict(self) -> None:
        """A second session of the same resource gets a resource of its own or ends the first
        (RFC 6120 7.7.2.2); both never share an address."""
        jid = self.account("alice")
        first = self.cluster.client(jid, 1, resource="desk")
        await first.start()
        second = self.cluster.client(jid, 2, resource="desk")
        await second.start()
        if second.full_jid == first.full_jid:
            await first.wait_until(lambda: first.event_count("dropped") > 0, 10, "the end")
        await second.close()
