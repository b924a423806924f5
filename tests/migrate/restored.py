"""A cluster that a backup was restored into: its nodes, and what its users find there."""

import asyncio
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from tests.lib.cluster import PASSWORD, POLL_S, TestCluster
from tests.lib.xmpp_client import MESSAGE, Client, Settings
from tests.lib.xmpp_stream import Address
from tests.operator.machine import Machine
from tests.operator.test_setup import MachinesTest
from tools.local.control import ControlError, ask

STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
DELAY = "{urn:xmpp:delay}delay"
BODY = "{jabber:client}body"
TIMEOUT_S = 30.0


def told(stanza: ET.Element) -> tuple[str, str, str, str]:
    """Who sent a message, its text, its place in the order of the cluster, and its stamp."""
    stanza_id, delay = stanza.find(STANZA_ID), stanza.find(DELAY)
    return (stanza.get("from", ""), stanza.findtext(BODY, ""),
            "" if stanza_id is None else stanza_id.get("id", ""),
            "" if delay is None else delay.get("stamp", ""))


class Inbox:
    """The messages with a body that a client gets."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.messages: list[ET.Element] = []
        client.on_stanza = self._take

    def _take(self, stanza: ET.Element) -> None:
        if stanza.tag == MESSAGE and stanza.find(BODY) is not None:
            self.messages.append(stanza)

    async def get(self, count: int) -> list[tuple[str, str, str, str]]:
        """Log in, be available, and wait for so many messages."""
        await self.client.start()
        self.client.send_presence()
        await self.client.wait_until(lambda: len(self.messages) >= count, TIMEOUT_S,
                                     f"{count} messages")
        return [told(message) for message in self.messages]


async def until_acked(cluster: TestCluster, node: int, address: str) -> None:
    """Until nothing waits for a session any more, says a node."""
    deadline = time.monotonic() + TIMEOUT_S
    while cluster.ask(node, "session.show", user=address)["sessions"][0]["pending"] > 0:
        if time.monotonic() > deadline:
            raise AssertionError(f"{address} has not acknowledged all")
        await asyncio.sleep(POLL_S)


class RestoredTest(MachinesTest):
    """Machines whose first one is restored."""

    def restore(self, backup: Path, *options: str) -> None:
        """The first node, from the backup."""
        first = self.machines[0]
        self.ok(first.setup("cluster", "restore", str(backup), first.link, *options))
        first.adapt()
        first.start()

    def login(self, jid: str, first: int, password: str = PASSWORD, **settings: Any) -> Client:
        """A client of an account that exists."""
        order = self.machines[first - 1:] + self.machines[:first - 1]
        return Client(Settings(jid, password,
                               [Address(machine.host, machine.ports["c2s"]) for machine in order
                                if machine.process is not None], None, **settings))

    def wait_equal(self) -> str:
        """The state hash of all nodes that run, at one mark."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return self._hash_now()
            except ControlError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no common mark: {error}") from error
            time.sleep(POLL_S)

    def _hash_now(self) -> str:
        running = [machine for machine in self.machines if machine.process is not None]
        index = min(ask(machine.control, "state.hash")["index"] for machine in running)
        hashes = {machine.control: _hash_at(machine, index) for machine in running}
        self.assertEqual(1, len(set(hashes.values())), hashes)
        return next(iter(hashes.values()))


def _hash_at(machine: Machine, index: int) -> str:
    """ControlError: the node does not know that mark."""
    return ask(machine.control, "state.hash", {"index": index})["hash"]
