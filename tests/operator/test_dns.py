"""What goes into the zone of a domain, by musterctl."""

import time
import unittest
from typing import ClassVar

from tests.lib.cluster import POLL_S, TestCluster
from tests.operator.ctl import REFUSED, USAGE, ClusterCtl

TIMEOUT_S = 20.0


class Dns(ClusterCtl):
    """Two nodes that serve, and a witness."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "2", "--witnesses", "1")
        cls.addClassCleanup(cls.cluster.close)

    def expected(self, domain: str, later: int | None) -> str:
        """The zone of a domain; one node may be tried later than the other."""
        lines = []
        for node_id in (1, 2):
            port = self.cluster.node(node_id).ports["c2s"]
            order = "10 1" if later is None else "20 0" if node_id == later else "10 0"
            lines.append(f"_xmpp-client._tcp.{domain}. IN SRV {order} {port} "
                         f"node-{node_id}.{domain}.\n")
        lines += [f"node-{node_id}.{domain}. IN A {self.cluster.node(node_id).host}\n"
                  for node_id in (1, 2)]
        return "".join(lines)

    def until(self, wanted: str, *arguments: str) -> None:
        """Wait until the zone is this: nodes tell of themselves a moment after they serve."""
        deadline = time.monotonic() + TIMEOUT_S
        while (said := self.ctl("dns", "records", *arguments)).out != wanted:
            self.assertLess(time.monotonic(), deadline, said)
            time.sleep(POLL_S)

    def test_records(self) -> None:
        """Nodes that serve alike are tried alike, the witness never; a standby of an enabled group
        is tried later, in the mode active-standby alone. Each domain has its records."""
        first = self.cluster.cluster.domain
        self.until(self.expected(first, None))
        self.ok("domain", "add", "b.test")
        self.assertEqual(sorted([self.expected("b.test", None), self.expected(first, None)]),
                         sorted([self.ok("dns", "records", "--domain", name).out
                                 for name in ("b.test", first)]))
        self.until(self.expected("b.test", None) + self.expected(first, None))
        self.assertEqual(REFUSED, self.ctl("dns", "records", "--domain", "c.test").code)
        self.assertEqual(USAGE, self.ctl("dns", "records", "--domain", "not a domain").code)
        records = self.ok("dns", "records", "--domain", first, "--json").json()["records"]
        self.assertEqual(["SRV", "SRV", "A", "A"], [record["type"] for record in records])

        self.ok("group", "create", "pair")
        for node_id in ("2", "1"):
            self.ok("group", "add-node", "pair", node_id)
        self.ok("group", "enable", "pair")
        self.until(self.expected(first, None), "--domain", first)
        self.ok("assignment", "mode", "active-standby")
        self.until(self.expected(first, 1), "--domain", first)


if __name__ == "__main__":
    unittest.main()
