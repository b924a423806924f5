"""A node joins a running cluster: as a spare that holds no vote, it takes a copy of the state, then
it becomes a voter. A node that lost its disk comes back the same way, never under its old raft id:
its old votes are forgotten with the disk (DESIGN 4)."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from tools.local import processes
from tools.local.control import ControlError, ask
from tools.local.layout import Cluster, LocalError, Node
from tools.local.node_config import link_address

CHANGE_TIMEOUT_S = 70.0  # the leader gives a change up to a minute


def found(node: Node) -> None:
    """Make a node that has no data a founding member, as `musterctl cluster init` does."""
    _write_identity(node, {"node": node.id, "raft_id": node.id << 32 | 1, "bootstrap": True})


def _write_identity(node: Node, identity: dict[str, Any]) -> None:
    data = Path(node.data)
    data.mkdir(mode=0o700, exist_ok=True)  # a disk of its own stays when it is wiped
    (data / "node.json").write_text(json.dumps(identity) + "\n")


def join(cluster: Cluster, node: Node, timeout_s: float, role: str = "voter") -> None:
    """Make a node that has no data a member of the cluster; wait until it serves in that role."""
    added = _change(cluster, node, "member.add", node=node.id, address=link_address(node))
    _write_identity(node, added)
    processes.start(cluster, node)
    processes.wait_serving([node], timeout_s)
    _wait_role(cluster, node, role, timeout_s)


def wipe(cluster: Cluster, node: Node) -> None:
    """Remove the membership and the data of a node that does not run."""
    if processes.is_running(node):
        raise LocalError(f"node {node.id} runs: stop or kill it first")
    _change(cluster, node, "member.remove", node=node.id)
    shutil.rmtree(node.data, ignore_errors=True)


def _wait_role(cluster: Cluster, subject: Node, role: str, timeout_s: float) -> None:
    """Wait until the leader, who promotes a spare that is there, has done so."""
    deadline = time.monotonic() + timeout_s
    while not any(peer["node"] == subject.id and peer["role"] == role
                  for node in cluster.nodes
                  for peer in processes.status(node).get("peers", [])):
        if time.monotonic() > deadline:
            raise LocalError(f"node {subject.id} is no {role} after {timeout_s:.0f} s")
        time.sleep(processes.POLL_S)


def _change(cluster: Cluster, subject: Node, verb: str, **args: Any) -> Any:
    """Ask one of the other nodes that serves."""
    for node in cluster.nodes:
        if node.id != subject.id and processes.status(node).get("serving"):
            try:
                return ask(node.control, verb, args, CHANGE_TIMEOUT_S)
            except ControlError as error:
                raise LocalError(f"{verb} for node {subject.id}: {error}") from error
    raise LocalError("no other node serves")
