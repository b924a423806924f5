"""What the server says of itself, as its operator wants it: contacts and version, in answers to
slixmpp and in what streams announce (XEP-0092, XEP-0115, XEP-0128, XEP-0157)."""

import asyncio
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from slixmpp.exceptions import IqError

from tests.interop.scene import InteropTest, Person
from tests.lib.cluster import PASSWORD, POLL_S
from tests.lib.xmpp_stream import XmppStream

CAPS = "{http://jabber.org/protocol/caps}c"
FORM = "{jabber:x:data}"
FORM_TYPE = "http://jabber.org/network/serverinfo"
VERSION = "jabber:iq:version"
DISCO = "http://jabber.org/protocol/disco#info"
TIMEOUT_S = 10.0
CONTACTS = {"abuse-addresses": ["https://example.org/a?b=1&c=2", "mailto:abuse@example.org"],
            "support-addresses": ["xmpp:help@example.org"]}
ABOUT = """
about:
  version: false
  support: ["xmpp:help@example.org"]
  abuse: ["mailto:abuse@example.org", "https://example.org/a?b=1&c=2"]
"""


class About(InteropTest):
    """Two nodes of a cluster; the operator of the first one makes up his mind."""

    def reload(self, node: int, about: str) -> None:
        """Append this to what the configuration of a node was at first."""
        file = Path(self.cluster.node(node).config)
        if not hasattr(self, "first"):
            self.first = file.read_text()
            self.addCleanup(self.reload, node, "")
        file.write_text(self.first + about)
        self.cluster.ask(node, "reload")

    async def announced(self, jid: str, node: int) -> tuple[str, str]:
        """Node and hash in the features of a new stream."""
        stream = XmppStream(self.cluster.cluster.domain, self.cluster.cluster.ca)
        await stream.connect(self.cluster.addresses(node)[0])
        await stream.authenticate(jid.split("@")[0], PASSWORD, None)
        caps = stream.features.find(CAPS)
        await stream.close()
        assert caps is not None
        return caps.get("node", ""), caps.get("ver", "")

    async def other_hash(self, jid: str, node: int, before: str) -> tuple[str, str]:
        """Wait until new streams announce another hash: workers have it a moment after a reload."""
        deadline = time.monotonic() + TIMEOUT_S
        while (caps := await self.announced(jid, node))[1] == before:
            self.assertLess(time.monotonic(), deadline, "the hash stays the same")
            await asyncio.sleep(POLL_S)
        return caps

    async def says(self, person: Person, caps: tuple[str, str]) -> ET.Element:
        """What the server answers, asked with the node of the hash; slixmpp agrees with the hash,
        and asked without it the server says the same."""
        xmpp, domain = person.client.xmpp, self.cluster.cluster.domain
        answer = await xmpp["xep_0030"].get_info(jid=domain, node="#".join(caps))
        self.assertEqual(caps[1], xmpp["xep_0115"].generate_verstring(answer["disco_info"],
                                                                      "sha-1"))
        plain = await xmpp["xep_0030"].get_info(jid=domain)
        query, other = (one.xml.find(f"{{{DISCO}}}query") for one in (answer, plain))
        self.assertEqual([ET.tostring(child) for child in query],
                         [ET.tostring(child) for child in other])
        return query

    def contacts(self, query: ET.Element) -> dict[str, list[str]]:
        """Of the form; none without one."""
        form = query.find(f"{FORM}x")
        if form is None:
            return {}
        self.assertEqual("result", form.get("type"))
        fields = {field.get("var", ""): [value.text or "" for value in field]
                  for field in form.iter(f"{FORM}field")}
        self.assertEqual([FORM_TYPE], fields.pop("FORM_TYPE"))
        return fields

    async def test_reload(self) -> None:
        """Contacts come and go by a reload, and the version by a switch; at each time the hash in
        stream features is that of the answer, and another node is not touched."""
        alice, bob = await self.person("alice", 1), await self.person("bob", 2)
        domain = self.cluster.cluster.domain
        first = await self.announced(alice.jid, 1)
        query = await self.says(alice, first)
        self.assertEqual({}, self.contacts(query))
        self.assertIn(VERSION, {feature.get("var") for feature in query})
        await alice.client.xmpp["xep_0092"].get_version(domain)

        self.reload(1, ABOUT)
        second = await self.other_hash(alice.jid, 1, first[1])
        query = await self.says(alice, second)
        self.assertEqual(CONTACTS, self.contacts(query))
        self.assertNotIn(VERSION, {feature.get("var") for feature in query})
        with self.assertRaises(IqError) as refused:
            await alice.client.xmpp["xep_0092"].get_version(domain)
        self.assertEqual("service-unavailable", refused.exception.condition)
        with self.assertRaises(IqError) as unknown:
            await self.says(alice, first)
        self.assertEqual("item-not-found", unknown.exception.condition)
        self.assertEqual(first, await self.announced(bob.jid, 2))
        self.assertEqual({}, self.contacts(await self.says(bob, first)))

        self.reload(1, "")
        self.assertEqual(first, await self.other_hash(alice.jid, 1, second[1]))
        self.assertEqual({}, self.contacts(await self.says(alice, first)))

    async def test_refused(self) -> None:
        """What is no URI is told, and changes nothing."""
        alice = await self.person("alice", 1)
        before = await self.announced(alice.jid, 1)
        with self.assertRaisesRegex(Exception, "about.admin: has what is no URI"):
            self.reload(1, "\nabout: {admin: [root]}\n")
        self.assertEqual(before, await self.announced(alice.jid, 1))
        await self.says(alice, before)

    async def test_restart(self) -> None:
        """A node that starts with contacts says them from the first stream on."""
        alice, before = await self.person("alice", 2), await self.announced(self.account("bob"), 3)
        self.reload(3, ABOUT)
        self.cluster.kill(3)
        await self.cluster.start(3)
        after = await self.announced(alice.jid, 3)
        self.assertNotEqual(before, after)
        carol = await self.person("carol", 3)
        self.assertEqual(CONTACTS, self.contacts(await self.says(carol, after)))
