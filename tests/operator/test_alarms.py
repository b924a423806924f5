"""Alarms and replication of the cluster by musterctl, while a node dies and comes back."""

import asyncio
import time
import unittest
from typing import Any, ClassVar

from tests.lib.cluster import TestCluster
from tests.operator.ctl import REFUSED, USAGE, ClusterCtl

TIMEOUT_S = 40.0
POLL_S = 0.3


class Alarms(ClusterCtl, unittest.IsolatedAsyncioTestCase):
    """Three nodes; two of them are a group."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3", "--timer", "fallback_s=2")
        cls.addClassCleanup(cls.cluster.close)

    def alarms(self, *options: str) -> list[dict[str, Any]]:
        """The alarms, active ones unless --all is given."""
        return self.ok("alarm", "list", *options, "--json").json()["alarms"]

    async def until(self, *wanted: tuple[str, int]) -> None:
        """Wait for these alarms to be the active ones: name and node."""
        deadline = time.monotonic() + TIMEOUT_S
        while (seen := {(alarm["alarm"], alarm["node"]) for alarm in self.alarms()}) != set(wanted):
            self.assertLess(time.monotonic(), deadline, seen)
            await asyncio.sleep(POLL_S)

    def nodes(self) -> list[dict[str, Any]]:
        """What is known of each node."""
        return self.ok("replication", "runtimestate", "--json").json()["nodes"]

    async def until_states(self, *wanted: str) -> None:
        """Wait until the nodes are in these states, in their order."""
        deadline = time.monotonic() + TIMEOUT_S
        while (seen := [node["state"] for node in self.nodes()]) != list(wanted):
            self.assertLess(time.monotonic(), deadline, seen)
            await asyncio.sleep(POLL_S)

    async def test_runtimestate(self) -> None:
        """Every node is there, with what it says of itself; one that is gone is down."""
        await self.until_states("serving", "serving", "serving")
        nodes = self.nodes()
        self.assertEqual(["leader", "voter", "voter"], sorted(node["role"] for node in nodes))
        self.assertEqual(1, len({node["version"] for node in nodes}))
        for node in nodes:
            self.assertGreater(node["applied_index"], 0)
            self.assertLess(node["lag"], 1000)
            self.assertEqual([], node["alarms"] + node["services_down"])
        head, *lines = self.ok("replication", "runtimestate").out.splitlines()
        self.assertEqual(["NODE", "ROLE", "TERM", "LOG", "APPLIED", "DURABLE", "LAG", "RTT_US",
                          "QUEUE", "SESSIONS", "STATE"], head.split())
        self.assertEqual(3, len(lines))

        self.assertIn("safe: ", self.ok("cluster", "upgrade-check").out)

        self.cluster.kill(3)
        await self.until_states("serving", "serving", "down")
        said = self.ctl("cluster", "upgrade-check")
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn("node 3 is down", said.err)
        self.assertIn("without node 1 there is no majority: 1 of 3 voters", said.err)
        self.assertNotIn("safe: ", said.out)
        self.assertFalse(self.ctl("cluster", "upgrade-check", "--json").json()["safe"])
        self.assertNotIn("term", self.nodes()[2])
        await self.cluster.start(3)
        await self.until_states("serving", "serving", "serving")
        await self.until()
        self.assertTrue(self.ok("cluster", "upgrade-check", "--json").json()["safe"])

    async def until_sessions(self, *wanted: int) -> None:
        """Wait until the nodes have so many sessions of connected clients."""
        deadline = time.monotonic() + TIMEOUT_S
        while (seen := [node.get("sessions") for node in self.nodes()]) != list(wanted):
            self.assertLess(time.monotonic(), deadline, seen)
            await asyncio.sleep(POLL_S)

    async def test_sessions(self) -> None:
        """Each node says how many sessions it has the connections of."""
        jid = self.cluster.add_user("counted")
        clients = [self.cluster.client(jid, node_id) for node_id in (2, 2, 3)]
        for client in clients:
            await client.start()
        await self.until_sessions(0, 2, 1)
        for client in clients:
            await client.close()
        await self.until_sessions(0, 0, 0)

    async def test_monitor(self) -> None:
        """The setting is the cluster's: every node shows it."""
        self.assertEqual("enabled\n", self.ok("replication", "monitor", "show").out)
        self.ok("replication", "monitor", "disable")
        for node_id in (1, 2, 3):
            deadline = time.monotonic() + TIMEOUT_S
            while self.cluster.ask(node_id, "replication.state")["monitor"] != "disabled":
                self.assertLess(time.monotonic(), deadline)
                await asyncio.sleep(POLL_S)
        self.ok("replication", "monitor", "enable")
        self.assertEqual({"monitor": "enabled"},
                         self.ok("replication", "monitor", "show", "--json").json())
        self.assertEqual(USAGE, self.ctl("replication", "monitor", "off").code)

    async def test_a_node_dies(self) -> None:
        """What its death means is raised, in the log of the nodes too, and cleared afterwards."""
        self.ok("group", "create", "pair")
        for node_id in ("1", "2"):
            self.ok("group", "add-node", "pair", node_id)
        self.ok("group", "enable", "pair")
        await self.until()

        self.cluster.kill(2)
        await self.until(("node-down", 2), ("node-failed-over", 2), ("no-standby", 1),
                         ("no-spare-voter", 0))
        table = self.ok("alarm", "list").out.splitlines()
        self.assertEqual(["SEVERITY", "ALARM", "NODE", "RAISED", "CLEARED", "REASON"],
                         table[0].split())
        down = next(line.split() for line in table if "node-down" in line)
        self.assertEqual(["critical", "node-down", "2"], down[:3])
        self.assertRegex(down[3], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual("-", down[4])

        await self.cluster.start(2)
        await self.until()
        ended = {alarm["alarm"]: alarm for alarm in self.alarms("--all")}
        for name in ("node-down", "node-failed-over", "no-standby", "no-spare-voter"):
            self.assertGreaterEqual(ended[name]["cleared_ms"], ended[name]["raised_ms"])
            self.assertEqual(1, ended[name]["times"])
        for node_id in (1, 3):
            log = (self.cluster.folder / f"n{node_id}" / "log").read_text()
            self.assertIn("alarm.raised", log)
            self.assertIn("alarm.cleared", log)
