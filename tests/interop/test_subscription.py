"""Every move of RFC 6121 section 3 between two slixmpp clients on different nodes."""

from tests.interop.scene import InteropTest, Person


class Subscription(InteropTest):
    """Alice on node 1, Bob on node 2."""

    async def _pair(self) -> tuple[Person, Person]:
        return await self.person("alice", 1), await self.person("bob", 2)

    async def _alice_follows_bob(self, alice: Person, bob: Person) -> None:
        alice.client.send_presence(bob.jid, "subscribe")
        await bob.sees_presence(alice.jid, "subscribe")
        bob.client.send_presence(alice.jid, "subscribed")
        await alice.has_subscription(bob.jid, "to")
        await bob.has_subscription(alice.jid, "from")

    async def test_approve(self) -> None:
        """Request and approval: to and from, and the contact's presence comes (3.1)."""
        alice, bob = await self._pair()
        await self._alice_follows_bob(alice, bob)
        await alice.sees_presence(bob.jid, "subscribed")
        await alice.sees_presence(bob.jid)
        self.assertEqual([], bob.presences(alice.jid))

    async def test_deny(self) -> None:
        """A denied request leaves no subscription (3.2)."""
        alice, bob = await self._pair()
        alice.client.send_presence(bob.jid, "subscribe")
        await bob.sees_presence(alice.jid, "subscribe")
        bob.client.send_presence(alice.jid, "unsubscribed")
        await alice.sees_presence(bob.jid, "unsubscribed")
        await alice.has_subscription(bob.jid, "none")
        self.assertIn(bob.subscription_to(alice.jid), ("", "none"))

    async def test_mutual(self) -> None:
        """Both directions end as both, and each sees the other (3.1)."""
        alice, bob = await self._pair()
        await self.befriend(alice, bob)

    async def test_cancel(self) -> None:
        """The contact takes its approval back: unavailable and unsubscribed come (3.2)."""
        alice, bob = await self._pair()
        await self._alice_follows_bob(alice, bob)
        bob.client.send_presence(alice.jid, "unsubscribed")
        await alice.sees_presence(bob.jid, "unsubscribed")
        await alice.sees_presence(bob.jid, "unavailable")
        await alice.has_subscription(bob.jid, "none")
        await bob.has_subscription(alice.jid, "none")

    async def test_unsubscribe(self) -> None:
        """The user stops following: the contact is told, no presence comes any more (3.3)."""
        alice, bob = await self._pair()
        await self._alice_follows_bob(alice, bob)
        alice.client.send_presence(bob.jid, "unsubscribe")
        await bob.sees_presence(alice.jid, "unsubscribe")
        await alice.has_subscription(bob.jid, "none")
        await bob.has_subscription(alice.jid, "none")

    async def test_pre_approval(self) -> None:
        """An approval given before the request answers it at once (3.4)."""
        alice, bob = await self._pair()
        bob.client.send_presence(alice.jid, "subscribed")
        await bob.client.all_acked()
        alice.client.send_presence(bob.jid, "subscribe")
        await alice.sees_presence(bob.jid, "subscribed")
        await alice.has_subscription(bob.jid, "to")
        self.assertEqual([], bob.presences(alice.jid, "subscribe"))

    async def test_remove_item(self) -> None:
        """Removing a contact of both ends the subscriptions both ways (2.5)."""
        alice, bob = await self._pair()
        await self.befriend(alice, bob)
        await alice.client.xmpp.del_roster_item(bob.jid)
        await alice.has_subscription(bob.jid, "")
        await bob.sees_presence(alice.jid, "unsubscribe")
        await bob.sees_presence(alice.jid, "unsubscribed")
        await bob.has_subscription(alice.jid, "none")

    async def test_request_waits(self) -> None:
        """A request to somebody offline is there at the next login (3.1.3)."""
        alice = await self.person("alice", 1)
        jid = self.account("bob")
        alice.client.send_presence(jid, "subscribe")
        await alice.client.all_acked()
        bob = await self.login(jid, 2)
        await bob.sees_presence(alice.jid, "subscribe")
