"""A witness as an operator sees it: shown as one, in no group, and without a port for clients."""

import socket
import time
import unittest
from typing import ClassVar

from tests.lib.cluster import POLL_S, TestCluster
from tests.operator.ctl import REFUSED, ClusterCtl

TIMEOUT_S = 20.0
WITNESS = 3


class Witness(ClusterCtl):
    """Two nodes that serve, and a witness."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "2", "--witnesses", "1")
        cls.addClassCleanup(cls.cluster.close)

    def nodes(self) -> dict[int, dict]:
        """What cluster status says of each node, once all have told of themselves."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            rows = self.ok("cluster", "status", "--json").json()["nodes"]
            if len(rows) == 3 and all(row["name"] for row in rows):
                return {row["node"]: row for row in rows}
            self.assertLess(time.monotonic(), deadline, rows)
            time.sleep(POLL_S)

    def test_shown(self) -> None:
        """cluster status and node status say which node is a witness; clients are told no address
        of it, and nobody listens where they would come."""
        nodes = self.nodes()
        self.assertEqual({1: False, 2: False, 3: True},
                         {node: row["witness"] for node, row in nodes.items()})
        self.assertEqual("", nodes[WITNESS]["client_address"])
        said = {row["node"]: row["witness"] for row in self.ok("node", "status", "--json").json()}
        self.assertEqual({1: False, 2: False, 3: True}, said)
        self.assertIn("WITNESS", self.ok("cluster", "status").out)
        node = self.cluster.node(WITNESS)
        with socket.socket() as client:
            self.assertNotEqual(0, client.connect_ex((node.host, node.ports["c2s"])))

    def test_is_nobodys_home(self) -> None:
        """No group takes it, so it is no user's home; commands can be given to it."""
        self.nodes()
        self.ok("group", "create", "pair")
        said = self.ctl("group", "add-node", "pair", str(WITNESS))
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn(f"node {WITNESS} is a witness", said.err)
        for node_id in ("1", "2"):
            self.ok("group", "add-node", "pair", node_id)
        jid = self.cluster.add_user("a")
        self.refused(f"node {WITNESS} is a witness", "user", "assign", jid, str(WITNESS))
        self.ok("--node", str(WITNESS), "user", "show", jid)
        self.ok("--node", str(WITNESS), "user", "remove", jid)


if __name__ == "__main__":
    unittest.main()
