"""What a running cluster holds: of each node's process, its folders, and the rows of its store."""

import os
import subprocess
from pathlib import Path

from tests.lib.cluster import TestCluster
from tools.local.main import find_program

INSPECT_TIMEOUT_S = 60.0


def take(cluster: TestCluster) -> dict[str, int]:
    """Measure -> value, as "n2 memory" for a node, "rows session" for all: their rows are equal."""
    sample: dict[str, int] = {}
    for node_id in cluster.ids:
        node = cluster.node(node_id)
        data = Path(node.data)
        for name, value in {**_process(node.pid), "log bytes": _disk_bytes(data / "raft"),
                            "store bytes": _disk_bytes(data / "state")}.items():
            sample[f"n{node_id} {name}"] = value
    sample.update(_rows(Path(cluster.node(cluster.ids[0]).data)))
    return sample


def _process(pid: int) -> dict[str, int]:
    """Memory is what the process has asked for: the pages of the mapped store come and go as the
    kernel likes, and are bounded by its file."""
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {"memory": int(status["RssAnon"].split()[0]) * 1024,
            "threads": int(status["Threads"]),
            "files": len(os.listdir(proc / "fd"))}


def _disk_bytes(folder: Path) -> int:
    """What the files take; one may go while we look."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def _rows(data: Path) -> dict[str, int]:
    """The tables as muster-inspect counts them while the node runs."""
    done = subprocess.run([find_program("muster-inspect"), "--no-hash", str(data)],
                          capture_output=True, text=True, timeout=INSPECT_TIMEOUT_S, check=True)
    lines = done.stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("table "))
    return {f"rows {line.split()[0]}": int(line.split()[1])
            for line in lines[begin + 1:] if len(line.split()) == 3}
