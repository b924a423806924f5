"""Nodes that are empty, or far behind, get a copy of the store from another node: under load,
several at once, and however often the copy is cut.
"""

import asyncio
import base64
import itertools
import os
import random
import signal
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from tests.endurance.torrent import Torrent
from tests.lib.cluster import TestCluster
from tools.local import processes

SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))
CUTS = int(os.environ.get("MUSTER_COPY_CUTS", "6"))
KEY = {"mechanism": "SCRAM-SHA-256", "iterations": 4096, "salt": base64.b64encode(b"salt").decode(),
       "stored_key": base64.b64encode(bytes(32)).decode(),
       "server_key": base64.b64encode(bytes(32)).decode()}
ACCOUNTS = 20_000             # some MiB to copy
MORE_ACCOUNTS = 2_000         # while a node is away
LOG_ENTRIES = 20              # between two snapshots; twice as many stay behind one
ROWS = 500                    # that one import may have
COPY_TIMEOUT_S = 60.0
CATCH_UP_TIMEOUT_S = 90.0
PAUSE_S = 3.0                 # longer than a link may be silent
PAIRS = 3


class CatchUp(unittest.IsolatedAsyncioTestCase):
    """The log is kept so short that the state must come as a copy."""

    nodes = 3

    def setUp(self) -> None:
        print(f"# seed {SEED}", flush=True)
        self.chance = random.Random(f"{SEED} {self.id()}")
        self.cluster = TestCluster("--nodes", str(self.nodes), "--limit",
                                   f"log_entries={LOG_ENTRIES}")
        self.addCleanup(self.cluster.close)

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients

    async def _fill(self, first: int, count: int) -> None:
        """Accounts with these numbers."""
        leader = await self.cluster.wait_leader()
        numbers = range(first, first + count)
        for begin in range(0, count, ROWS):
            await asyncio.to_thread(self.cluster.ask, leader, "user.import", rows=[
                {"jid": f"filler{number}@{self.cluster.cluster.domain}", "keys": [KEY]}
                for number in numbers[begin:begin + ROWS]])

    def _log(self, node_id: int) -> str:
        return Path(self.cluster.node(node_id).log).read_text()

    def _assert_tidy(self) -> None:
        """No node has a file that only a copy on its way has."""
        for node_id in self.cluster.ids:
            data = Path(self.cluster.node(node_id).data)
            names = {str(file.relative_to(data)) for file in data.rglob("*") if file.is_file()}
            others = {name for name in names
                      if not name.startswith("raft/") or name.startswith("raft/tmp")}
            self.assertEqual({"node.json", "state/data.mdb", "state/lock.mdb"}, others)


class Load(CatchUp):
    """Five nodes: two may be away."""

    nodes = 5

    async def test_two_empty_nodes(self) -> None:
        """Two nodes lose everything at once while clients write as fast as they can: both come
        back, and nothing is lost meanwhile."""
        await self._fill(0, ACCOUNTS)
        leader = await self.cluster.wait_leader()
        victims = self.chance.sample([one for one in self.cluster.ids if one != leader], 2)
        torrent = Torrent(self.cluster, [one for one in self.cluster.ids if one not in victims])
        await torrent.begin(PAIRS)
        for victim in victims:
            self.cluster.kill(victim)
        begun_at = time.monotonic()
        for victim in victims:
            await asyncio.wait_for(self.cluster.rejoin(victim), CATCH_UP_TIMEOUT_S)
        took_s = time.monotonic() - begun_at
        rate = torrent.acked_per_s
        judgement = await torrent.end()
        await self.cluster.wait_equal()
        print(f"# caught up in {took_s:.1f} s, at {rate:.0f} messages/s; {judgement}")
        self.assertEqual(0, judgement.faults(), str(judgement))
        for victim in victims:
            self.assertIn(" snapshot.fetched ", self._log(victim), "no copy was streamed")
        self._assert_tidy()


class Cut(CatchUp):
    """One node is far behind, and its copy is cut at a drawn point."""

    async def test_copies(self) -> None:
        """The node that gets the copy is killed, or the one that sends it is killed or stands
        still: at the first byte, in the middle, before the swap and after it. Each time the next
        copy comes, all states are equal, and nothing is left of the one that was cut."""
        await self._fill(0, ACCOUNTS)
        cuts = list(itertools.product(
            [self._first_byte, self._middle, self._whole, self._swapped],
            [self._kill_target, self._kill_source, self._stop_source]))
        self.chance.shuffle(cuts)
        for number, (point, way) in enumerate(itertools.islice(itertools.cycle(cuts), CUTS)):
            await self._cut_one(ACCOUNTS + number * MORE_ACCOUNTS, point, way)

    async def _cut_one(self, begin: int, point: Callable[[int, int], Callable[[], bool]],
                       way: Callable[[int, int], None]) -> None:
        leader = await self.cluster.wait_leader()
        victim = self.chance.choice([one for one in self.cluster.ids if one != leader])
        last = self.cluster.ask(victim, "node.status")["last_index"]
        self.cluster.kill(victim)
        await self._fill(begin, MORE_ACCOUNTS)
        await self._leave_behind(victim, last)
        size = (Path(self.cluster.node(leader).data) / "state" / "data.mdb").stat().st_size
        said = len(self._log(victim))
        reached = point(victim, size)
        self.cluster.start_and_leave(victim)
        deadline = time.monotonic() + COPY_TIMEOUT_S
        while not reached():
            self.assertLess(time.monotonic(), deadline, "no copy comes")
            time.sleep(0.0005)
        source = self._source(victim, said)
        way(victim, source)
        for node_id in (victim, source):
            if not processes.is_running(self.cluster.node(node_id)):
                await self.cluster.start(node_id)
        await self.cluster.wait_serving(victim, COPY_TIMEOUT_S)
        await self.cluster.wait_equal()
        self._assert_tidy()
        print(f"# {point.__name__} {way.__name__}: "
              f"{self._log(victim)[said:].count(' snapshot.fetching ')} copies begun")

    async def _leave_behind(self, victim: int, last: int) -> None:
        """Write until no other node's log reaches back to the victim's last entry."""
        others = [one for one in self.cluster.ids if one != victim]
        deadline = time.monotonic() + COPY_TIMEOUT_S
        while min(map(self._snapshot_index, others)) <= last + 2 * LOG_ENTRIES:
            self.assertLess(time.monotonic(), deadline, "the log is not cut")
            await self._fill(0, 1)

    def _snapshot_index(self, node_id: int) -> int:
        """Of the newest one; a file's name has its term, index and time."""
        raft = Path(self.cluster.node(node_id).data) / "raft"
        return max((int(file.name.split("-")[2]) for file in raft.glob("snapshot-*-*-*")
                    if file.suffix == ""), default=0)

    def _source(self, victim: int, said: int) -> int:
        """The node that sends the copy."""
        line = [one for one in self._log(victim)[said:].splitlines() if "snapshot.fetching" in one]
        return int(line[-1].rpartition("node=")[2])

    # ------------------------------------------------------------ points

    def _incoming(self, victim: int) -> int:
        """How much of the copy has come; -1: there is none."""
        try:
            return (Path(self.cluster.node(victim).data) / "incoming.copy").stat().st_size
        except FileNotFoundError:
            return -1

    def _first_byte(self, victim: int, size: int) -> Callable[[], bool]:
        del size
        return lambda: self._incoming(victim) > 0

    def _middle(self, victim: int, size: int) -> Callable[[], bool]:
        enough = self.chance.randrange(size // 2)
        return lambda: self._incoming(victim) > enough

    def _whole(self, victim: int, size: int) -> Callable[[], bool]:
        del size
        before = self._log(victim).count(" snapshot.fetched ")
        return lambda: self._log(victim).count(" snapshot.fetched ") > before

    def _swapped(self, victim: int, size: int) -> Callable[[], bool]:
        whole = self._whole(victim, size)
        return lambda: whole() and self._incoming(victim) < 0

    # ------------------------------------------------------------ ways

    def _kill_target(self, victim: int, source: int) -> None:
        del source
        self.cluster.kill(victim)

    def _kill_source(self, victim: int, source: int) -> None:
        del victim
        self.cluster.kill(source)

    def _stop_source(self, victim: int, source: int) -> None:
        del victim
        processes.send_signal(self.cluster.node(source), signal.SIGSTOP)
        time.sleep(PAUSE_S)
        processes.send_signal(self.cluster.node(source), signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
