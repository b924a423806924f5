"""Homes of users by musterctl: balanced by themselves, placed by hand, planned before they move."""

import asyncio
import tempfile
import time
import unittest
from pathlib import Path
from typing import ClassVar

from tests.lib.cluster import TestCluster
from tests.lib.xmpp_stream import StreamError
from tests.operator.ctl import REFUSED, USAGE, ClusterCtl, Said, make_group

TIMEOUT_S = 20.0
POLL_S = 0.1


class Assignment(ClusterCtl, unittest.IsolatedAsyncioTestCase):
    """Three nodes; two of them are a group, the third votes."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3")
        cls.addClassCleanup(cls.cluster.close)
        make_group(cls.cluster, "pair", (1, 2))

    def users(self) -> dict[int, int]:
        """How many users each node has."""
        shown = self.ok("assignment", "show", "--json").json()
        return {node["node"]: node["users"] for node in shown["nodes"]}

    async def until(self, wanted: dict[int, int]) -> None:
        """Wait until the leader has seen to it."""
        deadline = time.monotonic() + TIMEOUT_S
        while (seen := self.users()) != wanted:
            self.assertLess(time.monotonic(), deadline, seen)
            await asyncio.sleep(POLL_S)

    async def test_visitors(self) -> None:
        """By the policy redirect a client that logs in elsewhere is told where to go, and is served
        there; by accept it is served where it is."""
        jid = self.cluster.add_user("visitor")
        self.ok("user", "assign", jid, "1")
        self.ok("assignment", "policy", "redirect")
        with self.assertRaisesRegex(StreamError, "see-other-host"):
            await self.cluster.client(jid, 2).start(self.cluster.addresses(2)[0])
        for policy, node_id in (("redirect", 1), ("accept", 2)):
            self.ok("assignment", "policy", policy)
            client = self.cluster.client(jid, node_id)
            await client.start()
            await client.close()

    async def test_assignment(self) -> None:
        """The nodes of the group have as many users each, the witness none.
        By hand they move and stay; in mode none nobody moves but by rebalance, as planned."""
        self.ok("assignment", "mode", "balanced")
        jids = [self.cluster.add_user(f"user{i}") for i in range(6)]
        await self.until({1: 3, 2: 3, 3: 0})

        self.ok("assignment", "mode", "none")
        self.ok("assignment", "policy", "redirect")
        self.assertIn("mode none, policy redirect", self.ok("assignment", "show").out)
        for jid in jids:
            self.ok("user", "assign", jid, "--node", "1")
        self.assertEqual({1: 6, 2: 0, 3: 0}, self.users())
        self.assertIn("nobody has to move", self.ok("assignment", "rebalance").out)
        self._free(jids)
        self.assertEqual({1: 0, 2: 0, 3: 0}, self.users())

        planned = self.ok("assignment", "rebalance", "--dry-run", "--json").json()["moves"]
        self.assertEqual(sorted(jids), sorted(move["user"] for move in planned))
        self.assertEqual({1: 0, 2: 0, 3: 0}, self.users())
        self.assertIn("6 users have another home", self.ok("assignment", "rebalance").out)
        self.assertEqual({1: 3, 2: 3, 3: 0}, self.users())

        said = self.ctl("user", "assign", jids[0], "3")
        self.assertEqual(REFUSED, said.code, said)
        said = self._assign_file([f"{jids[0]},1", f"{jids[1]},3", f"{jids[2]},1"])
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn(f"rows.csv:3: {jids[1]}: ", said.err)
        self.assertIn("0 users assigned", said.out)
        self.assertEqual(USAGE, self.ctl("assignment", "mode", "fair").code)
        self.assertEqual(USAGE, self.ctl("user", "assign", jids[0]).code)

    def _assign_file(self, rows: list[str]) -> Said:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rows.csv"
            file.write_text("\n".join(["jid,node", *rows, ""]))
            return self.ctl("user", "assign", "--csv", str(file))

    def _free(self, jids: list[str]) -> None:
        said = self._assign_file([f"{jid},auto" for jid in jids])
        self.assertEqual(0, said.code, said)
        self.assertIn(f"{len(jids)} users assigned", said.out)


if __name__ == "__main__":
    unittest.main()
