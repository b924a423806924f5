"""More content than the nodes have room for: what is refused, what is kept, what goes on."""

import asyncio
import time
import unittest
import xml.etree.ElementTree as ET

from tests.lib.cluster import TestCluster
from tests.lib.xmpp_client import CLIENT_NS, MESSAGE, Client
from tools.local.control import ControlError

STORE_MIB = 24              # of the smallest map that can be set
RESERVE_MIB = 1024 - STORE_MIB
BODY = "x" * 100_000
BURST = 20                  # messages between two looks
BURSTS = 2                  # for one user: less than may be kept for one
RECIPIENTS = 10             # together more than there is room for
ARRIVAL_TIMEOUT_S = 60.0


class Room(unittest.IsolatedAsyncioTestCase):
    """A cluster with hardly any room to begin with."""

    def setUp(self) -> None:
        self.cluster = TestCluster("--nodes", "3", "--limit", f"reserve_mib={RESERVE_MIB}")
        self.addCleanup(self.cluster.close)
        self.errors: list[str] = []  # ids of refused messages
        self.new_users = 0
        self.bodies: dict[str, list[str]] = {}  # beginnings of what each recipient got

    def _on_error(self, element: ET.Element) -> None:
        if element.tag == MESSAGE and element.get("type") == "error":
            names = [item.tag.split("}")[-1] for item in element.iter()]
            self.assertIn("resource-constraint", names)
            self.errors.append(element.get("id", ""))

    async def _receive(self, jid: str) -> Client:
        """The user comes online and takes what waits."""
        recipient = self.cluster.client(jid, self.cluster.ids[1])
        bodies = self.bodies.setdefault(jid, [])

        def on_stanza(element: ET.Element) -> None:
            text = element.findtext(f"{{{CLIENT_NS}}}body")
            if text is not None:
                bodies.append(text.split()[0])

        recipient.on_stanza = on_stanza
        await recipient.start()
        recipient.send_presence()
        return recipient

    async def _send(self, sender: Client, to: str, count: int) -> list[str]:
        """Send messages, wait until all are acknowledged; returns those that were not refused."""
        sent = {}
        for _ in range(count):
            message_id = sender.next_id()
            sent[message_id] = f"{sender.user}-{message_id}"
            sender.send(f"<message to='{to}' type='chat' id='{message_id}'>"
                        f"<body>{sent[message_id]} {BODY}</body></message>")
        await sender.all_acked(60)
        # An error is written before the acknowledgement of what comes after it.
        await sender.request("<ping xmlns='urn:xmpp:ping'/>", to=sender.domain)
        return [body for message_id, body in sent.items() if message_id not in self.errors]

    async def _fill(self, sender: Client, recipients: list[str]) -> dict[str, list[str]]:
        """Send to users who are away until messages and accounts are refused; returns what was
        accepted. At the limit each window that is written gives a little room back."""
        accepted: dict[str, list[str]] = {}
        for to in recipients:
            accepted[to] = []
            for _ in range(BURSTS):
                accepted[to] += await self._send(sender, to, BURST)
                if self.errors and self._refuses_accounts():
                    return accepted
        raise AssertionError("there is room without end")

    def _refuses_accounts(self) -> bool:
        self.new_users += 1
        try:
            self.cluster.ask(self.cluster.ids[0], "user.add", password="secret",
                             user=f"new-{self.new_users}@{self.cluster.cluster.domain}")
        except ControlError as error:
            self.assertIn("no space left", str(error))
            return True
        return False

    async def _sends_again(self, sender: Client, to: str) -> list[str]:
        """Room comes back some time after messages were delivered."""
        deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
        while not (accepted := await self._send(sender, to, 1)):
            self.assertLess(time.monotonic(), deadline, "no room comes back")
            await asyncio.sleep(0.2)
        return accepted

    async def test_full(self) -> None:
        """Senders are told, on a stream that goes on; what was accepted arrives, once and in
        order; no node dies; with the room that deliveries give back, service goes on."""
        romeo = self.cluster.add_user("romeo")
        users = [self.cluster.add_user(f"juliet-{number}") for number in range(RECIPIENTS)]
        sender = self.cluster.client(romeo, self.cluster.ids[0])
        sender.on_stanza = self._on_error
        await sender.start()
        accepted = await self._fill(sender, users)
        self.assertEqual(0, sender.event_count("resumed"), "a refusal broke the stream")
        recipients = [await self._receive(jid) for jid in accepted]
        await self._all_arrives(recipients[0], accepted)
        accepted[users[0]] += await self._sends_again(sender, users[0])
        await self._all_arrives(recipients[0], accepted)
        self.assertEqual(accepted, self.bodies)
        await self.cluster.wait_equal()
        for client in (sender, *recipients):
            await client.close()

    async def _all_arrives(self, waiter: Client, accepted: dict[str, list[str]]) -> None:
        await waiter.wait_until(
            lambda: all(len(self.bodies[jid]) >= len(accepted[jid]) for jid in accepted),
            ARRIVAL_TIMEOUT_S, "all that was accepted")
