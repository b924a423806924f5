"""slixmpp without XEP-0198 whose node dies, and whose program logs in elsewhere at once."""

from tests.interop.scene import InteropTest, Person
from tests.interop.slixmpp_program import SlixmppProgram
from tests.lib.cluster import PASSWORD

GRACE_ENDS_S = 20.0  # of ten seconds


class WithoutAcks(InteropTest):
    """Each with a contact at a node that lives."""

    async def _on_node_1(self, name: str, resource: str) -> tuple[SlixmppProgram, Person]:
        """A program with a contact at node 3 that has seen it come."""
        jid, bob = self.account(name), await self.person(f"contact-of-{name}", 3)
        before = await self.login(jid, 1)
        await self.befriend(before, bob)
        await before.client.close()
        await bob.sees_presence(jid, "unavailable")
        bob.seen.clear()
        program = SlixmppProgram(jid + resource, PASSWORD, self.cluster.addresses(2),
                                 self.cluster.cluster.ca)
        self.addAsyncCleanup(program.close)
        program.connect(self.cluster.addresses(1)[0])
        await bob.sees_presence(jid)
        return program, bob

    async def test_node_killed(self) -> None:
        """One that binds its old resource gets what was sent meanwhile, and its contact sees
        nobody go. One that gets a new resource is seen to come, and ten seconds later its old
        session to go; then it gets what was sent to that."""
        same, friend = await self._on_node_1("alice", "/desk")
        other, contact = await self._on_node_1("carol", "")
        self.cluster.kill(1)
        for program, bob in ((same, friend), (other, contact)):
            bob.client.send_message(program.jid, "while away")
            await bob.client.all_acked()
            await program.wait_until(lambda: program.event_count("dropped") > 0, GRACE_ENDS_S)
            program.connect(self.cluster.addresses(2)[0])
        await friend.sees_presence(same.jid, count=2)
        await same.wait_until(lambda: same.event_count("message") > 0, GRACE_ENDS_S)
        self.assertEqual([], friend.presences(same.jid, "unavailable"))
        await contact.sees_presence(other.jid, count=2)
        await contact.client.wait_until(lambda: contact.presences(other.jid, "unavailable") != [],
                                        GRACE_ENDS_S, "the end of the old session")
        await other.wait_until(lambda: other.event_count("message") > 0, GRACE_ENDS_S)
        for program in (same, other):
            self.assertEqual(["while away"], program.details("message"))
        await self.cluster.start(1)
        await self.cluster.wait_equal()
