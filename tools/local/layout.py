"""cluster.json: what a cluster on this machine consists of, for tests, tools and people."""

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "cluster.json"


class LocalError(Exception):
    """What the user of tools/cluster has to be told; no traceback."""


@dataclass
class Node:
    """One node: a process, its ports and its files."""

    id: int
    pid: int
    host: str
    ports: dict[str, int]
    control: str
    data: str
    log: str
    config: str
    witness: bool = False            # it has no port for clients


@dataclass
class Cluster:
    """All nodes, and what a client must know."""

    domain: str
    ca: str
    program: str                     # musterd
    launcher: list[str]              # what stands in front of it: valgrind, say
    settings: dict[str, dict[str, int]]  # timers and limits that all nodes have
    nodes: list[Node] = field(default_factory=list)

    def node(self, node_id: int) -> Node:
        """The node of this id."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise LocalError(f"no node {node_id} in this cluster")


def check_own(path: Path) -> None:
    """Nobody else may have had a hand in it: cluster.json names programs that are run, and below
    /tmp anybody may have made a folder first."""
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise LocalError(f"{path} is not yours; take another --dir")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise LocalError(f"others may write to {path}: chmod go-w, if nobody did")


def load(folder: Path) -> Cluster:
    """Read the cluster that lives in a folder."""
    try:
        check_own(folder)
        check_own(folder / FILE)
        fields = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        raise LocalError(f"no cluster in {folder}") from None
    nodes = [Node(**node) for node in fields.pop("nodes")]
    return Cluster(**fields, nodes=nodes)


def save(folder: Path, cluster: Cluster) -> None:
    """Write it whole or not at all: others may read at any time."""
    fresh = folder / (FILE + ".new")
    fresh.write_text(json.dumps(asdict(cluster), indent=2) + "\n")
    fresh.chmod(0o644)  # whatever the umask: load() wants it so
    os.replace(fresh, folder / FILE)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one tools/cluster at a time changes a cluster."""
    if not folder.is_dir():
        raise LocalError(f"no cluster in {folder}")
    check_own(folder)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
