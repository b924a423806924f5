"""What a cluster costs that has nothing to do."""

import argparse
import asyncio
import os
from pathlib import Path

from tests.lib.cluster import TestCluster
from tools.measure.figures import Figures


def _cpu_s(pid: int) -> float:
    """User and system time of a process, from /proc/PID/stat (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(cluster: TestCluster, options: argparse.Namespace) -> list[Figures]:
    """CPU time of all nodes together, without clients, per second of wall time."""
    pids = [cluster.node(node_id).pid for node_id in cluster.ids]
    await cluster.wait_leader()
    before = sum(map(_cpu_s, pids))
    await asyncio.sleep(options.seconds)
    used = sum(map(_cpu_s, pids)) - before
    print(f"idle: {used:.2f} s of CPU in {options.seconds:.0f} s, all nodes together: "
          f"{100 * used / options.seconds:.2f} % of one core")
    return []
