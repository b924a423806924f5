"""People of another server, what they have there, and whether they find it again."""

import asyncio
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.interop.slixmpp_client import SlixmppClient
from tests.lib.cluster import TestCluster
from tests.lib.xmpp_client import PRESENCE, ROSTER_NS, Client
from tests.migrate.guest import Guest, Roster, befriend
from tests.migrate.restored import Inbox, told
from tests.migrate.servers import DOMAIN, OtherServer
from tests.operator.ctl import Said, musterctl

PASSWORDS = {"alice": "first secret", "bob": "zweites Gehe\u00edmnis", "carol": "'\"&<third>"}
JIDS = {name: f"{name}@{DOMAIN}" for name in PASSWORDS}
PREFERENCES = "<e xmlns=\"n\">&lt;kept&gt; \u00e9</e>"
TEXTS = ["hello", "<b>&amp;</b> \u00e9\U0001f600", "a\nb"]


class MovedTest(unittest.IsolatedAsyncioTestCase):
    """A cluster, and another server beside it."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients
        self.cluster = TestCluster("--nodes", "3")
        self.addCleanup(self.cluster.close)
        self.cluster.wait_written()
        self.assertEqual(DOMAIN, self.cluster.cluster.domain)

    def ctl(self, *words: str) -> Said:
        """musterctl for the cluster."""
        return musterctl("--cluster", str(self.cluster.folder), *words)

    async def live(self, server: OtherServer) -> None:
        """Alice and Bob are friends, in groups with names that XML has to escape. Alice asks for
        Carol's presence and writes to her; Carol is away."""
        alice, bob = [Guest(JIDS[name], PASSWORDS[name]) for name in ("alice", "bob")]
        for guest in (alice, bob):
            await guest.start(server.address)
        await befriend(alice, bob)
        await alice.set_contact(bob.jid, "Bob & \"co\"", ["Work", "Fri\u00ebnds"])
        await alice.set_vcard("Alice")
        await alice.set_private(PREFERENCES)
        alice.xmpp.send_presence(pto=JIDS["carol"], ptype="subscribe")
        for text in TEXTS:
            alice.xmpp.send_message(JIDS["carol"], text, mtype="chat")
        await alice.until(lambda: alice.xmpp.client_roster[JIDS["carol"]]["pending_out"],
                          "the request is in the roster")
        self.rosters: dict[str, Roster] = {}
        for guest in (alice, bob):
            self.rosters[guest.jid] = await guest.roster()
            await guest.close()

    def take(self, path: Path) -> dict[str, int]:
        """Import twice; the second time changes nothing. Returns what was said of the first."""
        said = [self.ctl("user", "import-xml", str(path), "--json") for _ in range(2)]
        for one in said:
            self.assertEqual(0, one.code, one)
        first, again = (one.json() for one in said)
        self.assertEqual((len(PASSWORDS), 0), (first["made"], again["made"]))
        self.assertEqual({**first, "made": 0, "known": first["messages"]}, again)
        return first

    async def expect_people(self, mechanism: str, messages: int) -> None:
        """All log in with their old passwords, have their contacts, and Carol the request and the
        messages; then Alice is seen by Bob, as their subscriptions say."""
        for node, (jid, roster) in enumerate(self.rosters.items(), 1):
            client = self._client(jid, node, mechanism)
            await client.start()
            self.assertEqual(roster, await _roster(client))
            await client.close()
        await self._expect_kept(mechanism)
        await self._expect_carol(mechanism, messages)
        await self._expect_real_client()
        await self.cluster.wait_equal()

    def _client(self, jid: str, node: int, mechanism: str) -> Client:
        client = self.cluster.client(jid, node, mechanism=mechanism)
        client.settings.password = PASSWORDS[jid.split("@", maxsplit=1)[0]]
        return client

    async def _expect_kept(self, mechanism: str) -> None:
        """Alice has her preferences, and Bob sees her vCard."""
        alice, bob = (self._client(JIDS[name], 1, mechanism) for name in ("alice", "bob"))
        for client in (alice, bob):
            await client.start()
        answer = await alice.request("<query xmlns='jabber:iq:private'><e xmlns='n'/></query>")
        self.assertEqual(PREFERENCES, ET.tostring(answer[0][0], "unicode", default_namespace="n"))
        answer = await bob.request("<vCard xmlns='vcard-temp'/>", to=JIDS["alice"])
        self.assertEqual("Alice", answer[0].findtext("{vcard-temp}FN"))
        for client in (alice, bob):
            await client.close()

    async def _expect_carol(self, mechanism: str, messages: int) -> None:
        client = self._client(JIDS["carol"], 3, mechanism)
        inbox = Inbox(client)
        asked: list[str] = []
        take = client.on_stanza
        client.on_stanza = lambda stanza: (take(stanza), asked.append(stanza.get("from", ""))
                                           if stanza.tag == PRESENCE and
                                           stanza.get("type") == "subscribe" else None)
        await inbox.get(messages)
        await client.wait_until(lambda: bool(asked), 10.0, "a request")
        client.send_message(JIDS["carol"], "last")  # what came twice would be before it
        await client.wait_until(lambda: told(inbox.messages[-1])[1] == "last"
                                if inbox.messages else False, 10.0, "the last message")
        inbox.messages.pop()
        self.assertEqual([JIDS["alice"]], [jid.split("/")[0] for jid in asked])
        self.assertEqual(TEXTS[:messages], [told(message)[1] for message in inbox.messages])
        self.assertTrue(all(told(message)[3] for message in inbox.messages))
        await client.close()

    async def _expect_real_client(self) -> None:
        """slixmpp finds a mechanism by itself; Bob sees Alice come."""
        bob = SlixmppClient(JIDS["bob"], PASSWORDS["bob"], self.cluster.addresses(1),
                            self.cluster.cluster.ca)
        seen: list[str] = []
        bob.on_stanza = lambda stanza: seen.append(stanza.get("from", "").split("/")[0]) \
            if stanza.tag == PRESENCE else None
        await bob.start()
        bob.send_presence()
        alice = SlixmppClient(JIDS["alice"], PASSWORDS["alice"], self.cluster.addresses(2),
                              self.cluster.cluster.ca)
        await alice.start()
        alice.send_presence()
        await bob.wait_until(lambda: JIDS["alice"] in seen, 15.0, "Alice")
        for client in (alice, bob):
            await client.close()


async def _roster(client: Client) -> Roster:
    answer = await client.request(f"<query xmlns='{ROSTER_NS}'/>")
    return {item.get("jid", ""): (item.get("name", ""), item.get("subscription", "none"),
                                  item.get("ask", ""),
                                  tuple(sorted(group.text or "" for group in item)))
            for item in answer.iter(f"{{{ROSTER_NS}}}item")}
