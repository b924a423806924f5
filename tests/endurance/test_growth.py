"""The log of a cluster that writes all the time keeps its size, on disk and in memory.

Method: clients write as fast as the nodes take it, with the thresholds that a real cluster has,
until several times as much was written as the log may hold; MUSTER_GROWTH_MINUTES for longer.
"""

import asyncio
import os
import time
import unittest
from pathlib import Path

from tests.endurance import samples
from tests.endurance.torrent import Torrent
from tests.lib.cluster import TestCluster

MIB = 1024 * 1024
CUT_BYTES = 64 * MIB          # of entries between two snapshots
KEPT_BYTES = 2 * CUT_BYTES    # that stay behind a snapshot
# Until the next snapshot is there both stay; segments are cut off whole, the next ones are made.
LOG_BYTES_MAX = KEPT_BYTES + 2 * CUT_BYTES
# The same entries in memory, and windows that are not written yet.
MEMORY_BYTES_MAX = LOG_BYTES_MAX + 128 * MIB
WRITTEN_BYTES = 5 * CUT_BYTES
MINUTES_MAX = 5.0
MINUTES = float(os.environ.get("MUSTER_GROWTH_MINUTES", "0"))
PAIRS = 3
SAMPLE_INTERVAL_S = 1.0


class Growth(unittest.IsolatedAsyncioTestCase):
    """Three nodes."""

    def setUp(self) -> None:
        self.cluster = TestCluster("--nodes", "3")
        self.addCleanup(self.cluster.close)

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients

    async def test_log(self) -> None:
        """It is cut, more than once, and neither disk nor memory hold more than they may."""
        torrent = Torrent(self.cluster, self.cluster.ids)
        await torrent.begin(PAIRS)
        begun_at = time.monotonic()
        highest: dict[str, int] = {}
        while torrent.sent_bytes < WRITTEN_BYTES or time.monotonic() - begun_at < MINUTES * 60:
            self.assertLess(time.monotonic() - begun_at, (MINUTES + MINUTES_MAX) * 60, "too slow")
            for name, value in (await asyncio.to_thread(samples.take, self.cluster)).items():
                highest[name] = max(value, highest.get(name, 0))
            torrent.check()
            await asyncio.sleep(SAMPLE_INTERVAL_S)
        rate = torrent.acked_per_s
        judgement = await torrent.end()
        print(f"# {torrent.sent_bytes // MIB} MiB, {rate:.0f} messages/s; {judgement}")
        self.assertEqual(0, judgement.faults(), str(judgement))
        for node_id in self.cluster.ids:
            log, memory = highest[f"n{node_id} log bytes"], highest[f"n{node_id} memory"]
            print(f"# node {node_id}: log {log // MIB} MiB, memory {memory // MIB} MiB")
            self.assertGreater(self._first_index(node_id), 1, "the log was never cut")
            self.assertLess(log, LOG_BYTES_MAX)
            self.assertLess(memory, MEMORY_BYTES_MAX)

    def _first_index(self, node_id: int) -> int:
        """Of the oldest closed segment, whose name begins with it."""
        raft = Path(self.cluster.node(node_id).data) / "raft"
        return min(int(file.name.split("-")[0]) for file in raft.glob("[0-9]*-[0-9]*"))


if __name__ == "__main__":
    unittest.main()
