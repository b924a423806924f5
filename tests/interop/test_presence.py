"""Presence of RFC 6121 section 4 as slixmpp sees it."""

from tests.interop.scene import InteropTest
from tests.lib.xmpp_client import CLIENT_NS


class Presence(InteropTest):
    """Contacts on different nodes."""

    async def test_broadcast(self) -> None:
        """A change of show and status reaches the contact on another node (4.4)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 3)
        await self.befriend(alice, bob)
        alice.client.send_presence(pshow="away", pstatus="lunch")
        await bob.client.wait_until(
            lambda: any(item.findtext(f"{{{CLIENT_NS}}}show") == "away"
                        and item.findtext(f"{{{CLIENT_NS}}}status") == "lunch"
                        for item in bob.presences(alice.jid)), 10, "away, lunch")

    async def test_initial(self) -> None:
        """Who comes online is told who is there, and is seen by them (4.2, 4.3)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        await self.befriend(alice, bob)
        phone = await self.login(alice.jid, 3)
        await phone.sees_presence(bob.jid)
        await bob.client.wait_until(
            lambda: phone.client.full_jid in {item.get("from")
                                              for item in bob.presences(alice.jid)}, 10, "phone")
        await phone.client.wait_until(
            lambda: alice.client.full_jid in {item.get("from")
                                              for item in phone.presences(alice.jid)}, 10, "desk")

    async def test_logout(self) -> None:
        """A session that ends in order is seen unavailable, once (4.5)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        await self.befriend(alice, bob)
        await alice.client.close()
        await bob.sees_presence(alice.jid, "unavailable")
        self.assertEqual(1, len(bob.presences(alice.jid, "unavailable")))

    async def test_directed(self) -> None:
        """Directed presence reaches a stranger, and so does the end of the session (4.6)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        alice.client.send_presence(bob.client.full_jid)
        await bob.sees_presence(alice.jid)
        await alice.client.close()
        await bob.sees_presence(alice.jid, "unavailable")

    async def test_negative_priority(self) -> None:
        """No message to the bare address goes to a session of negative priority (8.5.2.1)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        hidden = await self.login(bob.jid, 3, available=False)
        hidden.client.send_presence(ppriority=-1)
        await hidden.sees_presence(bob.jid)
        alice.client.send_message(bob.jid, "to the open one")
        await bob.sees_body(alice.jid, "to the open one")
        alice.client.send_message(hidden.client.full_jid, "to the hidden one")
        await hidden.sees_body(alice.jid, "to the hidden one")
        self.assertEqual(["to the hidden one"], hidden.bodies(alice.jid))
