"""What users keep on the server, with slixmpp: private elements (XEP-0049), bookmarks in them
(XEP-0048), and vCards (XEP-0054)."""

import xml.etree.ElementTree as ET

from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048.stanza import Bookmarks

from tests.interop.scene import InteropTest, Person

PRIVATE = "{jabber:iq:private}query"
PLUGINS = ("xep_0048", "xep_0049", "xep_0054")


def plugins_of(person: Person) -> Person:
    """With the plugins of these tests."""
    for name in PLUGINS:
        person.client.xmpp.register_plugin(name)
    return person


class Kept(InteropTest):
    """Set at one node, read at another."""

    async def keeper(self, name: str, node: int) -> Person:
        """A new account that knows how to keep."""
        return plugins_of(await self.person(name, node))

    async def set_name(self, person: Person, name: str) -> None:
        """Set the vCard."""
        card = person.client.xmpp["xep_0054"].make_vcard()
        card["FN"] = name
        await person.client.xmpp["xep_0054"].publish_vcard(card)

    async def name_of(self, person: Person, jid: str = "") -> str:
        """The name in a vCard, the own one without an address. The plugin answers some from what
        it has: the server is asked here."""
        iq = person.client.xmpp.make_iq_get(ito=jid or None)
        iq.enable("vcard_temp")
        return str((await iq.send())["vcard_temp"]["FN"])

    async def test_vcard(self) -> None:
        """Everybody reads it, on every node, and who has none is not told from nobody."""
        alice, bob = await self.keeper("alice", 1), await self.keeper("bob", 2)
        await self.set_name(alice, "Alice")
        self.assertEqual("Alice", await self.name_of(alice))
        self.assertEqual("Alice", await self.name_of(bob, alice.jid))
        with self.assertRaises(IqError) as own:
            await self.name_of(bob)
        self.assertEqual("item-not-found", own.exception.condition)
        for jid in (self.account("carol"), f"nobody@{self.cluster.cluster.domain}"):
            with self.assertRaises(IqError) as none:
                await self.name_of(alice, jid)
            self.assertEqual("service-unavailable", none.exception.condition)

    async def test_bookmarks(self) -> None:
        """They are there for the next client, and for nobody else."""
        alice, bob = await self.keeper("alice", 1), await self.keeper("bob", 2)
        bookmarks = Bookmarks()
        bookmarks.add_conference("room@conference.example.test", "nick", autojoin=True)
        await alice.client.xmpp["xep_0048"].set_bookmarks(bookmarks, method="xep_0049")
        other = plugins_of(await self.login(alice.jid, 3))
        answer = await other.client.xmpp["xep_0048"].get_bookmarks(method="xep_0049")
        rooms = answer["private"]["bookmarks"]["conferences"]
        self.assertEqual(["room@conference.example.test"], [str(one["jid"]) for one in rooms])
        iq = bob.client.xmpp.make_iq_get(ito=alice.jid)
        query = ET.SubElement(iq.xml, PRIVATE)
        ET.SubElement(query, "{storage:bookmarks}storage")
        with self.assertRaises(IqError) as refused:
            await iq.send()
        self.assertEqual("forbidden", refused.exception.condition)

    async def test_node_killed(self) -> None:
        """What was confirmed is there when the node that took it is gone."""
        alice, bob = await self.keeper("alice", 1), await self.keeper("bob", 2)
        await self.set_name(alice, "Alice")
        self.cluster.kill(1)
        self.assertEqual("Alice", await self.name_of(bob, alice.jid))
        await alice.client.wait_until(lambda: alice.client.event_count("resumed") > 0, 20, "resume")
        await self.set_name(alice, "Alice II")
        self.assertEqual("Alice II", await self.name_of(bob, alice.jid))
        await self.cluster.start(1)
        await self.cluster.wait_equal()
