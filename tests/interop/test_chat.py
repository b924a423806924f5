"""Messages, offline messages, questions to the server, and a node that dies: with slixmpp."""

import xml.etree.ElementTree as ET

from tests.interop.scene import InteropTest
from tests.lib.recorder import Chat

DELAY = "{urn:xmpp:delay}delay"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


class Messages(InteropTest):
    """Messages between nodes."""

    async def test_bare_and_full(self) -> None:
        """A message to the bare and to the full address arrives, with a stanza-id (XEP-0359)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2, direct=True)
        alice.client.send_message(bob.jid, "to the bare address")
        await bob.sees_body(alice.jid, "to the bare address")
        alice.client.send_message(bob.client.full_jid, "to the full address")
        await bob.sees_body(alice.jid, "to the full address")
        messages = [item for item in bob.seen if item.get("from") == alice.client.full_jid
                    and item.find(STANZA_ID) is not None]
        self.assertEqual(2, len(messages))

    async def test_offline(self) -> None:
        """Messages to somebody offline come at the next login, in order, marked as delayed."""
        alice = await self.person("alice", 1)
        jid = self.account("bob")
        for number in range(5):
            alice.client.send_message(jid, f"stored {number}")
        await alice.client.all_acked()
        bob = await self.login(jid, 3)
        await bob.sees_body(alice.jid, "stored 4")
        self.assertEqual([f"stored {number}" for number in range(5)], bob.bodies(alice.jid))
        delayed = [item for item in bob.seen if item.find(DELAY) is not None]
        self.assertGreaterEqual(len(delayed), 5)

    async def test_unknown_user(self) -> None:
        """A message to nobody is answered with service-unavailable (RFC 6121 8.5.1)."""
        alice = await self.person("alice", 1)
        nobody = f"nobody@{self.cluster.cluster.domain}"
        alice.client.send_message(nobody, "hello?")
        await alice.client.wait_until(
            lambda: any(item.get("type") == "error" and b"service-unavailable" in ET.tostring(item)
                        for item in alice.seen if item.get("from") == nobody), 10, "an error")


class Questions(InteropTest):
    """What a client asks the server; slixmpp's plugins parse the answers."""

    async def test_server(self) -> None:
        """disco, ping, version and time are answered."""
        alice = await self.person("alice", 1)
        xmpp, domain = alice.client.xmpp, self.cluster.cluster.domain
        info = await xmpp["xep_0030"].get_info(jid=domain)
        self.assertIn("urn:xmpp:ping", info["disco_info"]["features"])
        await xmpp["xep_0030"].get_items(jid=domain)
        await xmpp["xep_0199"].ping(jid=domain)
        version = await xmpp["xep_0092"].get_version(domain)
        self.assertTrue(version["software_version"]["name"])
        await xmpp["xep_0202"].get_entity_time(domain)

    async def test_between_users(self) -> None:
        """A request to another user's session on another node is answered by that session."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        info = await alice.client.xmpp["xep_0030"].get_info(jid=bob.client.full_jid)
        self.assertIn("urn:xmpp:ping", info["disco_info"]["features"])

    async def test_roster_version(self) -> None:
        """A roster that did not change is not sent again (RFC 6121 2.6)."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        await self.befriend(alice, bob)
        version = alice.client.xmpp.client_roster.version
        self.assertTrue(version)
        again = await self.login(alice.jid, 2, available=False)
        self.assertEqual("both", again.subscription_to(bob.jid))
        unchanged = await again.client.xmpp.get_roster()
        self.assertEqual({}, unchanged["roster"]["items"])


class Resume(InteropTest):
    """A real client whose node dies."""

    async def test_node_killed(self) -> None:
        """slixmpp resumes elsewhere after kill -9: nothing lost, repeated, reordered, no flap."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        await self.befriend(alice, bob)
        jid = alice.client.full_jid
        chat = Chat(alice.client, bob.client)
        chat.begin(0.02)
        for victim in (1, 2, 3):
            people = [one for one in (alice, bob)
                      if self.cluster.node_at(one.client.address) == victim]
            before = [one.client.event_count("resumed") for one in people]
            await bob.client.wait_until(lambda: len(chat.sides[1].received) >= 20 * victim, 20)
            self.cluster.kill(victim)
            for one, count in zip(people, before):
                await one.client.wait_until(
                    lambda: one.client.event_count("resumed") > count, 20, "resume")
            await self.cluster.start(victim)
            await self.cluster.wait_equal()
        judgement = await chat.end(20)
        print(f"# {judgement}")
        self.assertEqual(0, judgement.faults(), judgement)
        self.assertEqual(jid, alice.client.full_jid)
