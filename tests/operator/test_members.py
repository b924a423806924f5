"""Members of a cluster by musterctl: listed, removed, promoted, and refused with a reason."""

import asyncio
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lib.cluster import POLL_S, TestCluster
from tests.operator.ctl import USAGE, ClusterCtl

TIMEOUT_S = 20.0
REPLACE_S = 3
REFUSED_S = 1.0
Rows = dict[int, dict[str, Any]]


class MembersTest(ClusterCtl, unittest.IsolatedAsyncioTestCase):
    """A cluster, and musterctl for it."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it tells of every wait

    def make_cluster(self, *options: str) -> None:
        """The cluster of the test."""
        self.cluster = TestCluster(*options)
        self.addCleanup(self.cluster.close)

    def rows(self) -> Rows:
        """The members, by node."""
        rows = self.ok("node", "list", "--json").json()["nodes"]
        return {row["node"]: row for row in rows}

    async def until(self, is_so: Callable[[Rows], bool], timeout_s: float = TIMEOUT_S) -> Rows:
        """Wait until the list is so."""
        deadline = time.monotonic() + timeout_s
        while not is_so(rows := self.rows()):
            self.assertLess(time.monotonic(), deadline, rows)
            await asyncio.sleep(POLL_S)
        return rows


class Members(MembersTest):
    """Changes by hand."""

    async def test_remove(self) -> None:
        """A node of an enabled group stays, and one without which no majority would answer; others
        go, a leader too, and their place in a group is kept until it is given up. Of one that is
        gone lists show what is left: its place, its users."""
        self.make_cluster("--nodes", "4")
        self.ok("group", "create", "pair")
        for node_id in ("1", "2"):
            self.ok("group", "add-node", "pair", node_id)
        self.ok("group", "enable", "pair")
        rows = await self.until(lambda rows: all(row["name"] for row in rows.values()))
        self.assertEqual(["leader", "voter", "voter", "voter"],
                         sorted(row["role"] for row in rows.values()))
        self.assertTrue(all(row["connected"] and row["up"] for row in rows.values()))
        self.assertIn("INCARNATION", self.ok("node", "list").out)
        self.refused("in group pair, which is enabled", "node", "remove", "1")
        self.refused("node 9 is no member", "node", "remove", "9")
        self.refused("node 3 is a voter", "node", "promote", "3")
        self.refused("ask another one", "--node", "3", "node", "remove", "3")
        self.assertEqual(USAGE, self.ctl("node", "remove", "x").code)

        self.cluster.kill(4)
        await self.until(lambda rows: not rows[4]["connected"] and not rows[4]["up"])
        self.ok("node", "remove", "4")
        await self.until(lambda rows: sorted(rows) == [1, 2, 3])
        self._expect_listed({1: True, 2: True, 3: True})
        self.ok("group", "disable", "pair")
        self.ok("assignment", "mode", "none")
        guest = self.cluster.add_user("guest")
        self.ok("user", "assign", guest, "2")
        self.cluster.kill(3)
        await self.until(lambda rows: not rows[3]["up"])
        self.refused("no majority answers", "node", "remove", "2")
        await self.cluster.start(3)
        self.ok("cluster", "transfer", "2")
        await self.until(lambda rows: rows[2]["role"] == "leader")
        self.assertIn("Its place in group pair is kept", self.ok("node", "remove", "2").out)
        await self.until(lambda rows: sorted(rows) == [1, 3])
        self._expect_listed({1: True, 2: False, 3: True})
        self.assertRegex(self.ok("ha", "status", "pair").out, "pair +2 .* no member ")
        self.ok("group", "remove-node", "pair", "2")
        self._expect_listed({1: True, 2: False, 3: True})
        self.ok("user", "assign", guest, "1")
        self._expect_listed({1: True, 3: True})
        await self.cluster.wait_serving(2, TIMEOUT_S, wanted=False)
        jid = self.cluster.add_user("a")
        self.ok("--node", "1", "user", "show", jid)
        self.cluster.start_and_leave(4)  # it waits, and harms nobody

    def _expect_listed(self, wanted: dict[int, bool]) -> None:
        """Every list has these nodes, and says whether they are members."""
        for words in (("cluster", "status"), ("assignment", "show"), ("ha", "status")):
            rows = self.ok(*words, "--json").json()["nodes"]
            self.assertEqual(wanted, {row["node"]: row["member"] for row in rows}, words)

    async def test_promote(self) -> None:
        """A voter whose vote is on record becomes a standby, and that a voter when it is there, and
        not before."""
        self.make_cluster("--nodes", "3", "--timer", "replace_s=0")
        await self.cluster.wait_leader()
        await self.until(lambda rows: self._becomes_standby(3))
        await self.until(lambda rows: rows[3]["role"] == "standby")
        self.cluster.kill(3)
        await self.until(lambda rows: not rows[3]["connected"])
        self.refused("node 3 is not connected", "node", "promote", "3")
        await self.cluster.start(3)
        await self.until(lambda rows: rows[3]["connected"])
        self.ok("node", "promote", "3")
        await self.until(lambda rows: rows[3]["role"] == "voter")

    def _becomes_standby(self, node_id: int) -> bool:
        said = self.ctl("member", "assign", str(node_id), "standby")
        if said.code != 0:
            self.assertIn("is not on record yet", said.err)
        return said.code == 0

    async def test_last_to_serve(self) -> None:
        """The only node that serves is not removed, whatever number of witnesses votes."""
        self.make_cluster("--nodes", "1", "--witnesses", "2")
        await self.until(lambda rows: all(row["name"] for row in rows.values()))
        self.refused("no other node is known that serves", "node", "remove", "1")
        self.ok("node", "remove", "3")


class Replacement(MembersTest):
    """Six nodes: five vote, the sixth stands by."""

    async def test_dead_voter(self) -> None:
        """A voter that is dead gives its vote to the standby, the leader too, and is a standby when
        it comes back. One that lost its disk meanwhile is not taken back as what it was: that is
        said by those who dial it, too, which all others do as its number is the lowest."""
        second, first, third = 1, 2, 3
        self.make_cluster("--nodes", "6", "--timer", f"replace_s={REPLACE_S}")
        rows = await self.until(lambda rows: all(row["name"] for row in rows.values()))
        self.assertEqual([6], [node for node, row in rows.items() if row["role"] == "standby"])
        self.refused("there are 5 voters", "node", "promote", "6")
        self.cluster.kill(first)
        await self._until_replaced(first, 6)
        await self.cluster.start(first)
        await self.until(lambda rows: rows[first]["up"] and rows[first]["role"] == "standby")
        self.ok("cluster", "transfer", str(second))
        await self.until(lambda rows: rows[second]["role"] == "leader")
        self.cluster.kill(second)
        await self._until_replaced(second, first)
        await self.cluster.rejoin(second, "standby")

        self.cluster.kill(third)
        await self._until_replaced(third, second)
        self.cluster.kill(second)
        await self.cluster.start(third)
        await self._until_replaced(second, third)
        self.cluster.wipe(second)
        others = [node for node in self.cluster.ids if node != second]
        said = {node: len(self._log(node)) for node in others}
        self.cluster.start_and_leave(second)
        for node in others:
            await self._until_refused(node, said[node])
        await self.stays(lambda: not self.rows()[second]["connected"], REFUSED_S, "taken back")
        self.cluster.kill(second)
        await self.cluster.rejoin(second, "standby")
        await self.cluster.wait_equal()

    async def _until_replaced(self, dead: int, other: int) -> None:
        await self.until(lambda rows: rows[dead]["role"] == "standby"
                         and rows[other]["role"] in ("voter", "leader"), REPLACE_S + TIMEOUT_S)

    def _log(self, node_id: int) -> str:
        return Path(self.cluster.node(node_id).log).read_text()

    async def _until_refused(self, node_id: int, since: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while "its log is lost" not in self._log(node_id)[since:]:
            self.assertLess(time.monotonic(), deadline, f"taken back by node {node_id}")
            await asyncio.sleep(POLL_S)


if __name__ == "__main__":
    unittest.main()
