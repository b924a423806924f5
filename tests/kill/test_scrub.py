"""A row that decays on the disk of one node: its scrub finds it, and the node stops (P7)."""

import asyncio
import time
import unittest
from pathlib import Path

from tests.lib.cluster import TestCluster
from tools.local import processes

FOUND_TIMEOUT_S = 20.0


class Scrub(unittest.IsolatedAsyncioTestCase):
    """Three nodes that scrub every second."""

    async def test_decayed_row(self) -> None:
        """One byte of a row changes while its node is down; the sum of hashes does not see it."""
        cluster = TestCluster("--nodes", "3", "--timer", "scrub_s=1")
        self.addCleanup(cluster.close)
        await cluster.wait_equal()
        await asyncio.sleep(1.5)
        self.assertIn("core.scrubbed", Path(cluster.node(3).log).read_text())
        cluster.kill(3)
        self._decay(cluster)
        log_begin = len(Path(cluster.node(3).log).read_text())
        await cluster.start(3)
        deadline = time.monotonic() + FOUND_TIMEOUT_S
        number = 0
        while processes.is_running(cluster.node(3)):
            self.assertLess(time.monotonic(), deadline, "the scrub found nothing")
            cluster.ask(1, "user.add", user=f"user{number}@{cluster.cluster.domain}",
                        password="a password")
            number += 1
            await asyncio.sleep(0.3)
        lines = Path(cluster.node(3).log).read_text()[log_begin:]
        self.assertIn("core.scrub_differs", lines)
        self.assertIn("core.outvoted", lines)
        await cluster.rejoin(3)  # what an operator does then
        await cluster.wait_equal()

    def _decay(self, cluster: TestCluster) -> None:
        """Change node 1's address as node 3 keeps it: nothing rewrites that row."""
        path = Path(cluster.node(3).data) / "state" / "data.mdb"
        node = cluster.node(1)
        address = f"{node.host}:{node.ports['c2s']}".encode()
        content = path.read_bytes()
        self.assertIn(address, content)
        path.write_bytes(content.replace(address, address[:-1] + b"x"))
