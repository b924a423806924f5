"""A node whose disk gets full ends and says why, the others go on, and it comes back (DESIGN 3).

Method of all tests: the data of one node, or its log or store alone, moves to a tmpfs, which is
then shrunk to what is in it. That takes all room away at once, so that the store's reserve does not
help: its next transaction fails with ENOSPC. The log goes on in space that it has allocated before,
until the look at the free space, each second, ends the node.
"""

import base64
import shutil
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lib.cluster import TestCluster
from tools.local import processes
from tools.local.control import ControlError
from tools.local.small_disk import SmallDisk, can_mount

END_TIMEOUT_S = 20.0
WHISPERS = 5
FILLERS = 100  # accounts, with a key that was derived elsewhere
KEY = {"mechanism": "SCRAM-SHA-256", "iterations": 4096, "salt": base64.b64encode(b"salt").decode(),
       "stored_key": base64.b64encode(bytes(32)).decode(),
       "server_key": base64.b64encode(bytes(32)).decode()}
LEADER_TIMEOUT_S = 20.0
LOG_SAYS = r"raft\.no_space .*needed="
STORE_SAYS = r"kv\.write_failed .*No space left on device[^$]*core\.storage_failed"


class DiskFull(unittest.IsolatedAsyncioTestCase):
    """Three nodes; the disk of the leader or of a follower, for everything or a part of it."""

    def setUp(self) -> None:
        if not can_mount():
            self.skipTest("no tmpfs can be mounted here")
        self.disks: list[SmallDisk] = []
        self.quiet = ""
        self.cluster = TestCluster("--nodes", "3")
        self.addCleanup(self._remove_disks)
        self.addCleanup(self.cluster.close)  # before its disk goes

    def _remove_disks(self) -> None:
        for disk in self.disks:
            disk.discard()
        shutil.rmtree(self.cluster.folder, ignore_errors=True)

    async def _lose_room(self, wants_leader: bool, part: str, says: str,
                         write: Callable[[int], None] = lambda victim: None) -> None:
        """Fill the disk of a node, and follow it to its end and back. write: before and after."""
        victim = await self._victim(wants_leader)
        disk = await self._move(victim, part)
        victim_leads = await self._make_leader(victim) if wants_leader else False
        self.assertEqual(wants_leader, victim_leads)
        for _ in range(WHISPERS):
            write(victim)
        log_begin = len(Path(self.cluster.node(victim).log).read_text())
        disk.fill()
        write(victim)
        self._write_until_gone(victim)
        log = Path(self.cluster.node(victim).log).read_text()[log_begin:]
        self.assertRegex(log, says)
        await self._others_go_on(victim)
        disk.clear()
        await self.cluster.start(victim)
        await self.cluster.wait_equal()
        self.assertTrue(self.cluster.ask(victim, "user.show",
                                         user=f"during@{self.cluster.cluster.domain}"))

    async def _victim(self, wants_leader: bool) -> int:
        self.quiet = self.cluster.add_user("quiet")
        leader = await self.cluster.wait_leader()
        return leader if wants_leader else next(one for one in self.cluster.ids if one != leader)

    async def _move(self, victim: int, part: str) -> SmallDisk:
        """The victim's data, or a part of it, to a small disk."""
        self.cluster.kill(victim)
        disk = SmallDisk(Path(self.cluster.node(victim).data) / part)
        self.disks.append(disk)
        await self.cluster.start(victim)
        await self.cluster.wait_equal()
        return disk

    async def _make_leader(self, victim: int) -> bool:
        leader = await self.cluster.wait_leader()
        if leader != victim:
            self.cluster.ask(leader, "cluster.transfer", node=victim)
        deadline = time.monotonic() + LEADER_TIMEOUT_S
        while self.cluster.leader() != victim and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.cluster.leader() == victim

    def _write_until_gone(self, victim: int) -> None:
        """Commands of the other nodes, so that there is something to write everywhere: more than
        the store finds room for among the pages that it has."""
        other = next(one for one in self.cluster.ids if one != victim)
        deadline = time.monotonic() + END_TIMEOUT_S
        number = 0
        said: Any = None
        while processes.is_running(self.cluster.node(victim)):
            self.assertLess(time.monotonic(), deadline, f"goes on without room: {said}")
            try:
                said = self.cluster.ask(other, "user.import", rows=[
                    {"jid": f"filler{number}-{row}@{self.cluster.cluster.domain}", "keys": [KEY]}
                    for row in range(FILLERS)])
            except ControlError as error:
                said = error  # there is no leader for a moment, or it has no room for accounts
            number += 1
            time.sleep(0.05)

    async def _others_go_on(self, victim: int) -> None:
        """They have a leader, and take commands."""
        leader = await self.cluster.wait_leader()
        self.assertNotEqual(victim, leader)
        self.cluster.add_user("during")

    async def test_disk(self) -> None:
        """Neither log nor store of a follower have room; either may notice first."""
        await self._lose_room(False, "", f"{LOG_SAYS}|{STORE_SAYS}")

    async def test_log_of_a_follower(self) -> None:
        """The log of a follower has no room, its store has: it ends before an append fails."""
        await self._lose_room(False, "raft", LOG_SAYS)

    async def test_log_of_the_leader(self) -> None:
        """The same at the leader."""
        await self._lose_room(True, "raft", LOG_SAYS)

    async def test_store_of_a_follower(self) -> None:
        """The store of a follower has no room, its log has: LMDB's transaction fails."""
        await self._lose_room(False, "state", STORE_SAYS)

    async def test_store_of_the_leader(self) -> None:
        """The same at the leader: it ends at once, or as in the next test."""
        await self._lose_room(True, "state", STORE_SAYS)

    async def test_store_of_a_quiet_leader(self) -> None:
        """What is written first fits into pages that it has: then it knows that it has no room, and
        as the leader would let nothing in that needs some. It hands leadership on, and ends by what
        the new leader has room for."""
        await self._lose_room(True, "state", rf"core\.hands_on [^$]*{STORE_SAYS}", self._whisper)

    def _whisper(self, victim: int) -> None:
        """A small window, again and again the same row: each uses the pages that the one before the
        last has freed."""
        mark = self.cluster.ask(victim, "state.hash")["index"]
        self.cluster.ask(victim, "user.passwd", user=self.quiet, password="another one")
        deadline = time.monotonic() + END_TIMEOUT_S
        while self.cluster.ask(victim, "state.hash")["index"] <= mark:
            self.assertLess(time.monotonic(), deadline, "nothing is written")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
