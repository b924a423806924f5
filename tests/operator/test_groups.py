"""Redundancy groups by musterctl: made, watched while a node dies, failed over by hand."""

import asyncio
import json
import time
import unittest
from typing import ClassVar

from tests.lib.cluster import TestCluster
from tests.operator.ctl import USAGE, ClusterCtl

TIMEOUT_S = 20.0
POLL_S = 0.1
FALLBACK_S = 2
NORMAL = ("Normal", "")


class Groups(ClusterCtl, unittest.IsolatedAsyncioTestCase):
    """Three nodes; two of them are a group, the third votes."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3", "--timer", f"fallback_s={FALLBACK_S}")
        cls.addClassCleanup(cls.cluster.close)

    def views(self, group: str = "pair") -> list[tuple[str, str]]:
        """State and reason of each node of a group."""
        nodes = self.ok("ha", "status", group, "--json").json()["nodes"]
        return [(node["state"], node["reason"]) for node in nodes]

    async def until(self, *wanted: tuple[str, str]) -> None:
        """Wait for states and reasons."""
        deadline = time.monotonic() + TIMEOUT_S
        while (seen := self.views()) != list(wanted):
            self.assertLess(time.monotonic(), deadline, seen)
            await asyncio.sleep(POLL_S)

    async def test_groups(self) -> None:
        """create, add-node, enable, list, show, and back; what would break a group is refused."""
        self.ok("group", "create", "one")
        self.refused("exists already", "group", "create", "one")
        self.refused("has 0 of the 2 nodes", "group", "enable", "one")
        self.refused("there is no node 7", "group", "add-node", "one", "7")
        self.assertEqual(USAGE, self.ctl("group", "add-node", "one", "x").code)
        self.ok("group", "add-node", "one", "3")
        self.assertEqual([("Unknown", "High Availability Not Enabled")], self.views("one"))
        listed = self.ok("group", "list", "--json").json()["groups"]
        self.assertIn({"group": "one", "ha_enabled": False, "nodes": [3]}, listed)
        self.assertEqual(["one", "no", "3"], self.ok("group", "show", "one").out.split()[-3:])
        self.refused("no group is named two", "group", "show", "two")
        self.refused("first: group remove-node one 3", "group", "delete", "one")
        self.ok("group", "remove-node", "one", "3")
        self.ok("group", "delete", "one")

    async def test_failover(self) -> None:
        """A node of a pair dies and comes back; then its users are moved by hand, and back."""
        self.ok("group", "create", "pair")
        for node_id in ("1", "2"):
            self.ok("group", "add-node", "pair", node_id)
        self.refused("not enabled", "ha", "failover", "1")
        self.ok("group", "enable", "pair")
        await self.until(NORMAL, NORMAL)

        self.cluster.kill(1)
        await self.until(("Unknown", "Node Down"), ("Running in Backup Mode", "Peer Down"))
        self.refused("not running", "ha", "fallback", "1")
        self.refused("not running", "ha", "failover", "2")
        await self.cluster.start(1)
        await self.until(("Failed Over", "Initialization"),
                         ("Running in Backup Mode", "Peer Down"))
        await self.until(NORMAL, NORMAL)

        self.ok("ha", "failover", "1")
        await self.until(("Idle", "On Admin Request"),
                         ("Running in Backup Mode", "On Admin Request"))
        self.refused("failed over already", "ha", "failover", "1")
        self.refused("failed over itself", "ha", "failover", "2")
        self.refused("not failed over to each other", "ha", "recover", "pair")
        await self.stays(lambda: self.views()[0][0] == "Idle", FALLBACK_S + 1)
        told = self.ok("--json", "ha", "fallback", "1", "--watch").out.splitlines()
        self.assertEqual({1}, {json.loads(line)["node"] for line in told})
        await self.until(NORMAL, NORMAL)
        self.refused("not failed over", "ha", "fallback", "1")
        self.refused("not enabled", "ha", "failover", "3")

        self.ok("group", "disable", "pair")
        for node_id in ("1", "2"):
            self.ok("group", "remove-node", "pair", node_id)
        self.ok("group", "delete", "pair")
