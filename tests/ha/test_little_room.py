"""A leader whose disk gets full hands leadership on before anything is refused; it serves on, and
when all have little room, they serve what needs none (DESIGN 3).

Method of all tests: the log or the store of nodes moves to a tmpfs, which is then shrunk so that
little room is left, while a pair of clients chats through these nodes.
"""

import asyncio
import shutil
import time
import unittest
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from tests.lib.cluster import TestCluster
from tests.lib.recorder import Chat, befriend
from tests.lib.xmpp_client import CLIENT_NS, Client
from tools.local.small_disk import MIB, SmallDisk, can_mount

RESERVE_MIB = 512             # the default; the log wants the same
LOW_MIB = 580                 # less than a quarter more than that
REFUSED_MIB = 400             # less than that, and enough for the log not to end
TALK_INTERVAL_S = 0.05
CHANGE_TIMEOUT_S = 20.0
STAY_S = 4.0                  # longer than a leader is low before it hands on
ARRIVAL_TIMEOUT_S = 20.0


class LittleRoom(unittest.IsolatedAsyncioTestCase):
    """Three nodes; juliet's client is on the one that leads, romeo's on another."""

    def setUp(self) -> None:
        if not can_mount():
            self.skipTest("no tmpfs can be mounted here")
        self.disks: dict[int, SmallDisk] = {}
        self.clients: list[Client] = []
        self.cluster = TestCluster("--nodes", "3", "--limit", f"reserve_mib={RESERVE_MIB}")
        self.addCleanup(self._remove_disks)
        self.addCleanup(self.cluster.close)  # before its disks go

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients

    def _remove_disks(self) -> None:
        for disk in self.disks.values():
            disk.discard()
        shutil.rmtree(self.cluster.folder, ignore_errors=True)

    async def _move(self, node_id: int, part: str) -> None:
        """Log or store of a node to a small disk."""
        self.cluster.kill(node_id)
        self.disks[node_id] = SmallDisk(Path(self.cluster.node(node_id).data) / part)
        await self.cluster.start(node_id)
        await self.cluster.wait_equal()

    async def _let_lead(self, node_id: int) -> None:
        leader = await self.cluster.wait_leader()
        if leader != node_id:
            self.cluster.ask(leader, "cluster.transfer", node=node_id)
        await self._until(lambda: self.cluster.leader() == node_id, f"node {node_id} leads")

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + CHANGE_TIMEOUT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"never: {what}")
            await asyncio.sleep(0.1)

    def _alarms(self, node_id: int) -> list[str]:
        return self.cluster.ask(node_id, "node.status")["alarms"]

    def _hands_on(self) -> int:
        """How often a leader has handed on."""
        return sum(Path(self.cluster.node(node_id).log).read_text().count(" core.hands_on ")
                   for node_id in self.cluster.ids)

    async def _meet(self, one: int, other: int) -> Chat:
        """A pair that chats, each on its node."""
        juliet, romeo = self.clients = [
            self.cluster.client(self.cluster.add_user(name), place)
            for name, place in (("juliet", one), ("romeo", other))]
        for client in self.clients:
            await client.start()
            client.send_presence()
        await befriend(juliet, romeo)
        return Chat(juliet, romeo)

    async def _follow_leader(self, part: str, alarm: str) -> None:
        """The leader gets low and hands on; not a message is lost or refused; it serves on; and it
        may lead again only when there is room."""
        victim = self.cluster.ids[0]
        other = self.cluster.ids[1]
        await self._move(victim, part)
        await self._let_lead(victim)
        chat = await self._meet(victim, other)
        chat.begin(TALK_INTERVAL_S)
        self.disks[victim].fill(LOW_MIB * MIB)
        await self._until(lambda: self.cluster.leader() not in (None, victim), "another leads")
        self.assertIn(alarm, self._alarms(victim))
        self.assertTrue(self.cluster.ask(victim, "node.status")["serving"])
        count = self._hands_on()
        self.cluster.ask(other, "cluster.transfer", node=victim)  # does not hold
        await self._until(lambda: self._hands_on() > count, "it hands on again")
        await self._until(lambda: self.cluster.leader() not in (None, victim), "another leads")
        self.disks[victim].clear()
        await self._until(lambda: alarm not in self._alarms(victim), "room again")
        await self._let_lead(victim)
        await asyncio.sleep(STAY_S)
        self.assertEqual(victim, self.cluster.leader())
        await self._end(chat)
        for client in self.clients:
            self.assertEqual(0, client.event_count("dropped"), "a client had to go")

    async def _end(self, chat: Chat) -> None:
        judgement = await chat.end(ARRIVAL_TIMEOUT_S)
        await self.cluster.wait_equal()
        for client in self.clients:
            await client.close()
        print(f"# {judgement}")
        self.assertEqual(0, judgement.faults(), str(judgement))

    async def test_store_of_the_leader(self) -> None:
        """Its store is low, its log has room."""
        await self._follow_leader("state", "store-low")

    async def test_log_of_the_leader(self) -> None:
        """The other way round."""
        await self._follow_leader("raft", "log-low")

    async def test_all(self) -> None:
        """Nobody has room: leadership stays where it is, new content is refused, what needs no room
        is served; with the room content is accepted again, and all that was accepted arrives."""
        for node_id in self.cluster.ids:
            await self._move(node_id, "state")
        one, other = self.cluster.ids[:2]
        chat = await self._meet(one, other)
        chat.begin(TALK_INTERVAL_S)
        for disk in self.disks.values():
            disk.fill(LOW_MIB * MIB)
        await self._until(lambda: all("store-low" in self._alarms(node_id)
                                      for node_id in self.cluster.ids), "all are low")
        await self._stays()
        await self._end(chat)
        sender = self.cluster.client(self.cluster.add_user("benvolio"), one)
        await sender.start()
        for disk in self.disks.values():
            disk.fill(REFUSED_MIB * MIB)
        await self._until_answered(sender, True)
        self.assertEqual({}, await sender.get_roster())
        for disk in self.disks.values():
            disk.clear()
        await self._until_answered(sender, False)
        await self._until(lambda: not any(self._alarms(node_id) for node_id in self.cluster.ids),
                          "no alarm")
        await sender.close()

    async def _stays(self) -> None:
        """Nobody hands on, though all have been low for long enough."""
        count = self._hands_on()
        await asyncio.sleep(STAY_S)
        self.assertEqual(count, self._hands_on(), "leadership goes round")

    async def _until_answered(self, sender: Client, refused: bool) -> None:
        """Send until a message is refused for want of room, or is not. Each makes something to
        write, after which room is measured again."""
        errors: list[str] = []

        def on_stanza(stanza: ET.Element) -> None:
            if stanza.tag == f"{{{CLIENT_NS}}}message" and stanza.get("type") == "error":
                errors.append(" ".join(item.tag.split("}")[-1] for item in stanza.iter()))

        sender.on_stanza = on_stanza
        deadline = time.monotonic() + CHANGE_TIMEOUT_S
        while True:
            before = len(errors)
            sender.send_message(f"juliet@{sender.domain}", "is there room?")
            await sender.request("<ping xmlns='urn:xmpp:ping'/>", to=sender.domain)
            if any("resource-constraint" in text for text in errors[before:]) == refused:
                return
            self.assertLess(time.monotonic(), deadline, f"never refused={refused}: {errors[-3:]}")
            await asyncio.sleep(0.3)


if __name__ == "__main__":
    unittest.main()
