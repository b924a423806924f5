"""What the tests share: one cluster a class, fresh accounts a test, expectations."""

import asyncio
import shutil
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.profanity import Profanity
from tests.interop.slixmpp_client import SlixmppClient
from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.xmpp_client import CLIENT_NS, MESSAGE, PRESENCE
from tests.lib.xmpp_stream import Address

TIMEOUT_S = 10.0


class Person:
    """An account with one slixmpp session that remembers every stanza it saw."""

    def __init__(self, client: SlixmppClient) -> None:
        self.client = client
        self.jid = client.jid
        self.seen: list[ET.Element] = []
        client.on_stanza = self.seen.append

    def presences(self, sender: str, kind: str | None = None) -> list[ET.Element]:
        """Presence stanzas from a bare address; kind None is availability."""
        return [item for item in self.seen if item.tag == PRESENCE and item.get("type") == kind
                and item.get("from", "").split("/")[0] == sender]

    def bodies(self, sender: str) -> list[str]:
        """The bodies of the messages from a bare address, in order of arrival."""
        return [item.findtext(f"{{{CLIENT_NS}}}body", "") for item in self.seen
                if item.tag == MESSAGE and item.get("from", "").split("/")[0] == sender]

    async def sees_presence(self, sender: str, kind: str | None = None, count: int = 1) -> None:
        """Wait for presence."""
        await self.client.wait_until(lambda: len(self.presences(sender, kind)) >= count, TIMEOUT_S,
                                     f"{kind or 'available'} from {sender}")

    async def sees_body(self, sender: str, body: str) -> None:
        """Wait for a message."""
        await self.client.wait_until(lambda: body in self.bodies(sender), TIMEOUT_S,
                                     f"message {body!r} from {sender}")

    async def has_subscription(self, contact: str, subscription: str) -> None:
        """Wait until the roster as slixmpp keeps it, from pushes, says so."""
        def holds() -> bool:
            return self.subscription_to(contact) == subscription
        await self.client.wait_until(holds, TIMEOUT_S, f"{subscription} with {contact}")

    def subscription_to(self, contact: str) -> str:
        """none, to, from, both, or "" when the contact is not in the roster."""
        roster = self.client.xmpp.client_roster
        return roster[contact]["subscription"] if contact in roster.keys() else ""


class InteropTest(unittest.IsolatedAsyncioTestCase):
    """A class of tests against one cluster of three nodes."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3")
        cls.addClassCleanup(cls.cluster.close)

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients
        self.people: list[Person] = []

    async def asyncTearDown(self) -> None:
        for person in self.people:
            await person.client.close()

    def account(self, name: str) -> str:
        """A new account that no other test has."""
        return self.cluster.add_user(f"{name}-{self.id().rpartition('.')[2].replace('_', '-')}")

    async def person(self, name: str, node: int = 1, **options: Any) -> Person:
        """A new account, online on a node with roster and initial presence."""
        return await self.login(self.account(name), node, **options)

    async def login(self, jid: str, node: int = 1, available: bool = True,
                    direct: bool = False) -> Person:
        """A session of an account."""
        client = SlixmppClient(jid, PASSWORD, self.cluster.addresses(node, direct),
                               self.cluster.cluster.ca)
        person = Person(client)
        self.people.append(person)
        await client.start()
        await client.get_roster()
        if available:
            client.send_presence()
            await person.sees_presence(person.jid)
        return person

    async def befriend(self, one: Person, other: Person) -> None:
        """Subscribe both to each other."""
        for asker, asked in ((one, other), (other, one)):
            asker.client.send_presence(asked.jid, "subscribe")
            await asked.sees_presence(asker.jid, "subscribe")
            asked.client.send_presence(asker.jid, "subscribed")
            await asker.sees_presence(asked.jid, "subscribed")
            await asker.sees_presence(asked.jid)
        await one.has_subscription(other.jid, "both")
        await other.has_subscription(one.jid, "both")


class TerminalTest(InteropTest):
    """Tests with profanity, and slixmpp as the other side."""

    async def terminal(self, jid: str, address: Address) -> Profanity:
        """profanity, logged in at an address that it goes back to."""
        folder = Path(tempfile.mkdtemp(prefix="muster-prof-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        terminal = Profanity(folder, jid, PASSWORD, address, self.cluster.cluster.ca)
        self.addCleanup(terminal.close)
        await terminal.shows("logged in successfully")
        return terminal

    async def befriend_terminal(self, terminal: Profanity, bob: Person) -> None:
        """Subscribe both to each other, one by typed commands."""
        terminal.type(f"/sub request {bob.jid}")
        await bob.sees_presence(terminal.jid, "subscribe")
        bob.client.send_presence(terminal.jid, "subscribed")
        await terminal.shows(f"Subscription received from {bob.jid}")
        bob.client.send_presence(terminal.jid, "subscribe")
        await terminal.logs('RECV: <presence[^>]*type="subscribe"')
        terminal.type(f"/sub allow {bob.jid}")
        await bob.has_subscription(terminal.jid, "both")
        await bob.sees_presence(terminal.jid)
