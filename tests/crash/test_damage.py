"""A disk that decays: what a node then reads it does not believe, does not vote with, and says in
one line what to do; it joins again under a new raft id.

Method: three nodes with accounts; one is killed, and its files are damaged, each kind by itself.
Where the files have checksums, or are kept twice, the node must not start. Damage to the store,
whose pages have no checksums, must be found by a scrub. MUSTER_SEED repeats the draw of places.
"""

import asyncio
import os
import random
import shutil
import struct
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from tests.crash.pages import LEAF, Pages
from tests.lib.cluster import TestCluster
from tests.operator.ctl import musterctl
from tools.local import processes

SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))
HINT = "musterctl node replace"
ACCOUNTS = 150             # enough for pages above the leaves
GONE_TIMEOUT_S = 20.0
FLIPS = 3                  # places in each kind of file


def flip(path: Path, offset: int, bit: int) -> None:
    """One bit is another one."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def written_bytes(path: Path) -> int:
    """Up to the last byte that is not zero."""
    return len(path.read_bytes().rstrip(b"\0"))


def batch_offsets(path: Path) -> list[int]:
    """Where the batches of a segment begin: checksums, number of entries, then of each its term,
    type and length, then all of them."""
    content = path.read_bytes()
    offsets, offset = [], 8
    while (count := struct.unpack_from("<Q", content, offset + 8)[0]) > 0:
        offsets.append(offset)
        lengths = [struct.unpack_from("<I", content, offset + 16 + 16 * i + 12)[0]
                   for i in range(count)]
        offset += 16 + 16 * count + sum(lengths)
    return offsets


def metadata(path: Path) -> tuple[int, int, int]:
    """Of raft_uv: how often it has written, term, vote."""
    return struct.unpack_from("<QQQ", path.read_bytes(), 8)


def write_metadata(path: Path, count: int, term: int, vote: int) -> None:
    """As raft_uv does it."""
    path.write_bytes(struct.pack("<QQQQ", 1, count, term, vote))


class Damage(unittest.TestCase):
    """One node, damaged in many ways, one after the other."""

    cluster: TestCluster
    victim: int
    sound: Path                # a copy of its data

    @classmethod
    def setUpClass(cls) -> None:
        print(f"# seed {SEED}", flush=True)
        cls.cluster = TestCluster("--nodes", "3", "--limit", "log_entries=100", "--limit",
                                  "scram_iterations=4096")
        cls.addClassCleanup(cls.cluster.close)
        asyncio.run(cls._prepare())
        cls.sound = Path(tempfile.mkdtemp(prefix="muster-sound-"))
        cls.addClassCleanup(shutil.rmtree, cls.sound)
        shutil.copytree(cls.data(), cls.sound / "data")

    @classmethod
    async def _prepare(cls) -> None:
        """The victim has a store, closed segments, an open one, a snapshot, and gave a vote."""
        leader = await cls.cluster.wait_leader()
        cls.victim = next(one for one in cls.cluster.ids if one != leader)
        written = 0
        while written < ACCOUNTS or not cls._has_open_segment():
            await asyncio.to_thread(cls.cluster.ask, leader, "user.add", password="a password",
                                    user=f"user{written}@{cls.cluster.cluster.domain}")
            written += 1
            if written >= ACCOUNTS:
                await cls.cluster.wait_equal()
        while not cls.cluster.ask(cls.victim, "state.hash")["current"]:
            await asyncio.sleep(0.05)
        cls.cluster.kill(cls.victim)

    @classmethod
    def _has_open_segment(cls) -> bool:
        """With something in it: the last one may have been closed just now."""
        return any(written_bytes(path) for path in (cls.data() / "raft").glob("open-*"))

    @classmethod
    def tearDownClass(cls) -> None:
        """The last test left the victim damaged, or down."""
        if processes.is_running(cls.cluster.node(cls.victim)):
            cls.cluster.kill(cls.victim)
        asyncio.run(cls.cluster.rejoin(cls.victim))

    @classmethod
    def data(cls) -> Path:
        """Where the victim keeps its files."""
        return Path(cls.cluster.node(cls.victim).data)

    def setUp(self) -> None:
        self.chance = random.Random(f"{SEED} {self.id()}")
        self._restore()

    def _restore(self) -> None:
        """As the kill left it."""
        if processes.is_running(self.cluster.node(self.victim)):
            self.cluster.kill(self.victim)
        shutil.rmtree(self.data())
        shutil.copytree(self.sound / "data", self.data())

    def _newest(self, pattern: str) -> Path:
        """The file of the log that was written last."""
        found = [path for path in (self.data() / "raft").glob(pattern) if written_bytes(path) > 0]
        return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name))

    def _refused(self, what: str, event: str, damage: Callable[[], None]) -> None:
        """A node with this damage ends before it votes, and says why, and what to do."""
        with self.subTest(f"seed {SEED}, {what}"):
            self._restore()
            damage()
            node = self.cluster.node(self.victim)
            begin = processes.log_size(node)
            self.cluster.start_and_leave(self.victim)
            gone = processes.wait_gone(self.cluster.node(self.victim), GONE_TIMEOUT_S)
            said = Path(node.log).read_bytes()[begin:].decode(errors="replace")
            self.assertTrue(gone, f"it starts: {said}")
            lines = [line for line in said.splitlines() if HINT in line]
            self.assertEqual(1, len(lines), said)
            self.assertIn(event, said)
            self.assertNotIn("link.up", said)

    def test_closed_segment(self) -> None:
        """Any byte of a closed segment; one that is cut, one that is gone."""
        segments = sorted(path.name for path in (self.data() / "raft").glob("0*-0*"))
        path = self.data() / "raft" / segments[-1]
        size = path.stat().st_size
        for _ in range(FLIPS):
            offset, bit = self.chance.randrange(8, size), self.chance.randrange(8)
            self._refused(f"bit {bit} of byte {offset} of {size}", "raft.start_failed",
                          lambda offset=offset, bit=bit: flip(path, offset, bit))
        cut = self.chance.randrange(1, size)
        self._refused(f"cut to {cut}", "raft.start_failed", lambda: os.truncate(path, cut))
        self._refused("gone", "raft.", path.unlink)

    def test_open_segment(self) -> None:
        """A bit of what the store holds already: the log ends there, before the store does."""
        path = self._newest("open-*")
        first = 8 + 16 + 16 + 40  # in the first batch, behind its headers
        self._refused("first batch", "raft.", lambda: flip(path, first, 3))

    def test_cut_segment(self) -> None:
        """An open segment that ends within a batch, or within what is in front of one."""
        path = self._newest("open-*")
        within_header = self.chance.choice(batch_offsets(path)) + 12
        for cut in [within_header, *(self.chance.randrange(24, written_bytes(path))
                                     for _ in range(FLIPS))]:
            self._refused(f"cut to {cut}", "raft.", lambda cut=cut: os.truncate(path, cut))

    def test_cut_snapshot(self) -> None:
        """The newest snapshot is cut, or has other bits."""
        path = self._newest("snapshot-*[0-9]")
        cut = self.chance.randrange(8, path.stat().st_size - 8)
        self._refused(f"cut to {cut}", "raft.file_cut_short", lambda: os.truncate(path, cut))
        self._refused("its end", "raft.start_failed",
                      lambda: flip(path, path.stat().st_size - 2, 0))
        meta = path.with_name(path.name + ".meta")
        self._refused("its members", "raft.start_failed", lambda: flip(meta, 60, 1))

    def test_vote(self) -> None:
        """Term and vote: each bit of both, the newer file gone, and what they are compared with."""
        log = self.data() / "raft"
        files = [path for path in log.glob("metadata?")]
        path = max(files, key=metadata)
        for name, offset in (("term", 16), ("vote", 24)):
            for _ in range(FLIPS):
                bit = self.chance.randrange(64)
                self._refused(f"bit {bit} of the {name}", "raft.",
                              lambda at=offset + bit // 8, bit=bit % 8: flip(path, at, bit))
        self._refused("newer file gone", "raft.vote_differs", path.unlink)
        bit = self.chance.randrange(72 * 8)
        self._refused(f"bit {bit} of the second file", "raft.vote_differs",
                      lambda: flip(log / "vote", bit // 8, bit % 8))

    async def _starts(self) -> str:
        """It comes back; returns what it says."""
        node = self.cluster.node(self.victim)
        begin = processes.log_size(node)
        await self.cluster.start(self.victim)
        await self.cluster.wait_equal()
        return Path(node.log).read_bytes()[begin:].decode(errors="replace")

    def test_vote_of_an_older_program(self) -> None:
        """A program that keeps no second file of term and vote ran meanwhile: the node starts, says
        so, and is as strict as before ever after. What raft_uv wrote before goes for no such
        thing, though its count is the highest."""
        files = sorted((self.data() / "raft").glob("metadata?"), key=metadata)
        older, newer = map(metadata, files)
        self._refused("the older ballot with a higher count", "raft.vote_differs",
                      lambda: write_metadata(files[0], newer[0] + 1, *older[1:]))
        self._restore()
        write_metadata(files[0], newer[0] + 1, newer[1] + 5, 0)
        write_metadata(files[1], newer[0] + 2, newer[1] + 5, newer[2])
        self.assertIn("raft.vote_by_older_program", asyncio.run(self._starts()))
        self.cluster.kill(self.victim)
        self.assertNotIn("raft.vote_", asyncio.run(self._starts()))

    def test_identity(self) -> None:
        """The raft id, in both places, and the log as a whole."""
        digits = (self.data() / "node.json").read_bytes().index(b'"raft_id": ') + 12
        self._refused("raft id of the node", "identity.",
                      lambda: flip(self.data() / "node.json", digits + 6, 0))
        self._refused("raft id of the log", "identity.log_lost",
                      lambda: flip(self.data() / "raft" / "membership", 3, 0))
        self._refused("log gone", "identity.log_lost",
                      lambda: shutil.rmtree(self.data() / "raft"))

    def test_store_does_not_open(self) -> None:
        """Both beginnings of the store; a store that lacks its end, or everything."""
        path = self.data() / "state" / "data.mdb"
        size = path.stat().st_size

        def flip_both() -> None:
            for page in (0, 1):
                flip(path, page * 4096 + 16, 2)
        self._refused("both meta pages", "kv.open_failed", flip_both)
        self._refused("only its beginning is left", "node.read_failed",
                      lambda: os.truncate(path, 2 * 4096))
        self._refused("empty", "raft.start_failed", lambda: os.truncate(path, 0))
        self.assertGreater(size, 2 * 4096)

    def _scrub_finds(self, what: str, offset: int, bit: int) -> None:
        """The node starts, a scrub finds that its rows differ; it ends with the next change."""
        with self.subTest(f"seed {SEED}, {what}, byte {offset}"):
            self._restore()
            flip(self.data() / "state" / "data.mdb", offset, bit)
            asyncio.run(self.cluster.start(self.victim))
            said = musterctl("--cluster", str(self.cluster.folder), "--json", "state", "scrub")
            rows = {row["node"]: row["rows"] for row in said.json()}
            self.assertEqual("differ", rows[self.victim], said)

    def test_store_is_scrubbed(self) -> None:
        """A key in a page above the leaves, which a walk over all rows does not see; a value."""
        pages = Pages((self.data() / "state" / "data.mdb").read_bytes())
        for what, offset in (("key of a branch", pages.branch_key(self.chance)),
                             ("value in a leaf", pages.bytes_in(LEAF, self.chance))):
            self._scrub_finds(what, offset, self.chance.randrange(8))

    def test_way_back(self) -> None:
        """What the hint says works: a node with a damaged log is back, with a copy of the state,
        under another raft id."""
        old = self.cluster.raft_id(self.victim)
        segments = sorted(path.name for path in (self.data() / "raft").glob("0*-0*"))
        path = self.data() / "raft" / segments[-1]
        self._refused("closed segment", "raft.start_failed",
                      lambda: flip(path, path.stat().st_size // 2, 0))
        asyncio.run(self.cluster.rejoin(self.victim))
        asyncio.run(self.cluster.wait_equal())
        self.assertNotEqual(old, self.cluster.raft_id(self.victim))


if __name__ == "__main__":
    unittest.main()
