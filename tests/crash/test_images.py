"""Three nodes lose their power at one moment: what they then have starts, and nothing is lost (P1).

Method: a cluster whose nodes are recorded by a preloaded library (tests/lib/disk_recorder) works
for clients; one node is away meanwhile and comes back by a copy of the store. From the records the
data directories are made as a power cut at any moment may have left them (disk.py). Most are opened
by image_check, which applies each log to its store by the product's code; some are started as whole
clusters. MUSTER_SEED repeats a draw, MUSTER_MOMENTS and MUSTER_STARTS are how many there are; with
MUSTER_CRASH_DISK=1 the nodes are recorded on the disk of TMPDIR, otherwise in memory.
"""

import asyncio
import os
import random
import shutil
import tempfile
import unittest
from pathlib import Path

from tests.crash import moments
from tests.crash.disk import Disk, Luck
from tests.crash.scene import Recorded, await_promises

SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))
MOMENTS = int(os.environ.get("MUSTER_MOMENTS", "150"))
STARTS = int(os.environ.get("MUSTER_STARTS", "3"))
LOAD_S = float(os.environ.get("MUSTER_LOAD_S", "2"))
MOMENTS_OF_A_LIE = 60
NEVER = float("inf")
# Faults of a disk, or of a program that asks too little of it. Each must be found.
LIES = {
    "a store that is written without syncs (MDB_NOSYNC)": {"state/data.mdb": NEVER},
    "a log that is acknowledged a moment before it is written": {"raft/open-": 0.5},
    "a term and a vote that are not synced": {"raft/metadata": NEVER},
    "snapshots that are not synced": {"raft/tmp-": NEVER},
    "a disk that syncs nothing": {"": NEVER},
}


class Images(unittest.TestCase):
    """One record, many moments."""

    recorded: Recorded

    @classmethod
    def setUpClass(cls) -> None:
        print(f"# seed {SEED}", flush=True)
        cls.recorded = Recorded(LOAD_S, random.Random(SEED))
        cls.addClassCleanup(cls.recorded.close)

    def setUp(self) -> None:
        self.chance = random.Random(f"{SEED} {self.id()}")
        self.folder = Path(tempfile.mkdtemp(prefix="muster-images-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def _draw(self, count: int, until_ns: float = NEVER) -> list[moments.Moment]:
        every = [one for one in moments.all_moments(self.recorded.traces)
                 if one.clock_ns <= until_ns]
        return moments.draw(every, count, self.chance)

    def _draw_some(self, count: int, until_ns: float = NEVER) -> list[moments.Moment]:
        """Few, but none more likely because it is frequent."""
        return self.chance.sample(self._draw(20 * count, until_ns), count)

    def test_1_record_is_whole(self) -> None:
        """What was recorded is what the nodes have in the end, byte for byte."""
        for node_id, events in self.recorded.traces.items():
            disk = Disk(events)
            disk.advance(len(events))
            self.assertEqual([], disk.differences, "at its second start")
            self.assertEqual([], disk.compare_with(self.recorded.data(node_id)))
            disk.write_image(self.folder / str(node_id), Luck.ALL, self.chance)
            self.assertEqual(*({path.relative_to(folder) for path in folder.rglob("*")}
                               for folder in (self.recorded.data(node_id),
                                              self.folder / str(node_id))))

    def test_2_every_image_opens(self) -> None:
        """At drawn moments, and those around a sync, a name or a length, all that is left opens, is
        what it says, and holds what clients were promised."""
        verdict = moments.judge_all(self.recorded.traces, self.recorded.history,
                                    self._draw(MOMENTS), self.folder, self.chance, stop_at=10)
        print(f"# {verdict}")
        self.assertEqual("", "\n".join(verdict.faults), f"seed {SEED}")
        self.assertGreater(verdict.promises, verdict.moments)

    def test_3_lies_are_found(self) -> None:
        """The same look finds a disk that does not keep its word, of any kind of file."""
        for what, lies in LIES.items():
            with self.subTest(what):
                verdict = moments.judge_all(
                    self.recorded.traces, self.recorded.history, self._draw(MOMENTS_OF_A_LIE),
                    self.folder, self.chance, lies, stop_at=1)
                print(f"# {what}: {verdict.moments} moments, {''.join(verdict.faults)[:300]}")
                self.assertNotEqual([], verdict.faults, what)
                shutil.rmtree(self.folder)
                self.folder.mkdir()

    def _start(self, clock_ns: int) -> None:
        """Start what lies in the data directories; clients get what they were promised by then."""
        cluster = self.recorded.cluster
        for node_id in cluster.ids:
            cluster.start_and_leave(node_id)
        try:
            asyncio.run(await_promises(cluster, self.recorded.history, clock_ns))
        except BaseException:
            cluster.show_logs()
            raise
        finally:
            self.recorded.kill_all()

    def test_4_clusters_start(self) -> None:
        """All three lose their power at once: they come back by themselves, equal, with all."""
        for number, cut in enumerate(self._draw_some(STARTS)):
            luck = self.chance.choice(list(Luck))
            with self.subTest(f"seed {SEED}, cut {number}, {luck.value} survives"):
                cuts = moments.Cuts(self.recorded.traces)
                cuts.go_to(cut.clock_ns)
                for node_id in self.recorded.cluster.ids:
                    self.recorded.put(cuts, node_id, luck, self.chance)
                self._start(cut.clock_ns)

    def test_5_one_comes_back(self) -> None:
        """One loses its power, its peers go on until they rest, so that each of them has all that
        was agreed upon: what only one of them and the lost one had would be no promise. It comes
        up to them."""
        for number, cut in enumerate(self._draw_some(STARTS, self.recorded.rest_ns)):
            luck = self.chance.choice(list(Luck))
            with self.subTest(f"seed {SEED}, cut {number}, {luck.value} survives"):
                cuts = moments.Cuts(self.recorded.traces)
                cuts.go_to(cut.clock_ns)
                self.recorded.put(cuts, cut.node_id, luck, self.chance)
                cuts.go_to(self.recorded.rest_ns)
                for node_id in self.recorded.cluster.ids:
                    if node_id != cut.node_id:
                        self.recorded.put(cuts, node_id, Luck.ALL, self.chance)
                self._start(self.recorded.rest_ns)


if __name__ == "__main__":
    unittest.main()
