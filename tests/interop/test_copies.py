"""Copies of messages for a user's other devices, with slixmpp (XEP-0280)."""


from tests.interop.scene import TIMEOUT_S, InteropTest, Person
from tests.lib.xmpp_client import CLIENT_NS, MESSAGE

CARBONS = "{urn:xmpp:carbons:2}"
MESSAGES = 30


def copies(person: Person, kind: str) -> list[tuple[str, str]]:
    """Sender and body of each copy, sent or received, in order of arrival."""
    found = []
    for stanza in person.seen:
        forwarded = stanza.find(f"{CARBONS}{kind}/{{urn:xmpp:forward:0}}forwarded/{MESSAGE}")
        if stanza.tag == MESSAGE and forwarded is not None:
            assert stanza.get("from") == person.jid
            found.append((forwarded.get("from", ""),
                          forwarded.findtext(f"{{{CLIENT_NS}}}body", "")))
    return found


class Copies(InteropTest):
    """Alice has three devices on three nodes."""

    async def device(self, jid: str, node: int) -> Person:
        """One that wants copies."""
        person = await self.login(jid, node)
        person.client.xmpp.register_plugin("xep_0280")
        await person.client.xmpp["xep_0280"].enable()
        return person

    async def sees_copies(self, person: Person, kind: str, count: int) -> None:
        """Wait for so many of a kind."""
        await person.client.wait_until(lambda: len(copies(person, kind)) >= count, TIMEOUT_S,
                                       f"{count} {kind}")

    async def test_conversation(self) -> None:
        """What one device gets and sends the others see, each once; it has no copy itself, nor has
        a device that wants none any more."""
        bob = await self.person("bob", 1)
        alice = self.account("alice")
        desk, phone, watch = [await self.device(alice, node) for node in (1, 2, 3)]
        await watch.client.xmpp["xep_0280"].disable()
        bob.client.send_message(desk.client.full_jid, "question")
        await desk.sees_body(bob.jid, "question")
        desk.client.send_message(bob.jid, "answer")
        await bob.sees_body(alice, "answer")
        await self.sees_copies(phone, "received", 1)
        await self.sees_copies(phone, "sent", 1)
        bob.client.send_message(alice, "to all")
        for device in (desk, phone, watch):
            await device.sees_body(bob.jid, "to all")
        self.assertEqual([(bob.client.full_jid, "question")], copies(phone, "received"))
        self.assertEqual([(desk.client.full_jid, "answer")], copies(phone, "sent"))
        for device in (desk, watch):
            self.assertEqual([], copies(device, "received") + copies(device, "sent"))

    async def test_node_killed(self) -> None:
        """The phone's node dies in the middle of a conversation of the desk: it resumes elsewhere
        and has all copies, in order, each once."""
        bob = await self.person("bob", 1)
        alice = self.account("alice")
        desk, phone = await self.device(alice, 3), await self.device(alice, 2)
        for number in range(MESSAGES):
            bob.client.send_message(desk.client.full_jid, f"question {number}")
            await desk.sees_body(bob.jid, f"question {number}")
            desk.client.send_message(bob.jid, f"answer {number}")
            if number == MESSAGES // 3:
                self.cluster.kill(2)
        await phone.client.wait_until(lambda: phone.client.event_count("resumed") > 0, 20, "resume")
        await self.sees_copies(phone, "received", MESSAGES)
        await self.sees_copies(phone, "sent", MESSAGES)
        desk.client.send_message(alice, "last")
        await phone.sees_body(alice, "last")
        self.assertEqual([(bob.client.full_jid, f"question {number}")
                          for number in range(MESSAGES)], copies(phone, "received"))
        self.assertEqual([(desk.client.full_jid, f"answer {number}")
                          for number in range(MESSAGES)], copies(phone, "sent"))
        await self.cluster.start(2)
        await self.cluster.wait_equal()
