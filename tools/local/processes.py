"""The processes of the nodes: start, signal, wait; every wait has a deadline."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tools.local.control import ControlError, ask
from tools.local.layout import Cluster, LocalError, Node

POLL_S = 0.02
STOP_TIMEOUT_S = 30.0
BEGIN_TIMEOUT_S = 5.0
STOPPED = " node.stopped"  # how the last line of a graceful stop ends


def is_running(node: Node) -> bool:
    """Whether the node's process lives: by its configuration file, since ids are used again.

    A process that has only just begun has no arguments yet; one that ends, or a thread of the
    kernel, has none any more, or never.
    """
    deadline = time.monotonic() + BEGIN_TIMEOUT_S
    while True:
        try:
            line = Path(f"/proc/{node.pid}/cmdline").read_bytes()
            state = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state in "ZX":
            return False
        if line or time.monotonic() > deadline:
            return node.config.encode() in line.split(b"\0")
        time.sleep(POLL_S)


def is_paused(node: Node) -> bool:
    """Whether the process is stopped by SIGSTOP."""
    try:
        return Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return False


def start(cluster: Cluster, node: Node) -> None:
    """Start the node's process, away from our terminal; its output goes to its log."""
    if is_running(node):
        raise LocalError(f"node {node.id} runs already")
    launcher = [word.replace("{node}", str(node.id)) for word in cluster.launcher]
    with open(node.log, "ab") as log:
        process = subprocess.Popen(
            [*launcher, cluster.program, "-c", node.config], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True)
    node.pid = process.pid


def send_signal(node: Node, number: signal.Signals) -> None:
    """Send a signal to a running node."""
    if not is_running(node):
        raise LocalError(f"node {node.id} does not run")
    os.kill(node.pid, number)


def wait_gone(node: Node, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Wait for the process to end; False when it did not in time."""
    deadline = time.monotonic() + timeout_s
    while is_running(node):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def log_size(node: Node) -> int:
    """How long the node's log is: what comes later begins there."""
    return Path(node.log).stat().st_size


def stopped_well(node: Node, since: int) -> bool:
    """Whether a node that is gone came to the end of its stop: nobody but init hears the exit code
    of a process that another tools/cluster started. Valgrind has a word after the node's last."""
    said = Path(node.log).read_bytes()[since:].decode(errors="replace").splitlines()
    lines = [line for line in said if not line.startswith("==")]
    return bool(lines) and lines[-1].endswith(STOPPED)


def status(node: Node) -> dict:
    """What the node says of itself; {"serving": False, "error": ...} when it says nothing."""
    if not is_running(node):
        return {"serving": False, "error": "does not run"}
    if is_paused(node):
        return {"serving": False, "error": "paused"}
    try:
        return ask(node.control, "node.status")
    except ControlError as error:
        return {"serving": False, "error": str(error)}


def accepts_clients(node: Node) -> bool:
    """Whether the node's client port takes a connection: its workers open it a moment after the
    node has been cleared to serve."""
    try:
        with socket.create_connection((node.host, node.ports["c2s"]), timeout=1.0):
            return True
    except OSError:
        return False


def wait_serving(nodes: list[Node], timeout_s: float) -> None:
    """Wait until all nodes serve; a node that ends meanwhile, or the deadline, is an error."""
    deadline = time.monotonic() + timeout_s
    waiting = list(nodes)
    while waiting:
        node = waiting[0]
        report = status(node)
        if report.get("serving") and (node.witness or accepts_clients(node)):
            waiting.pop(0)
            continue
        if not is_running(node):
            raise LocalError(f"node {node.id} ended:\n{log_tail(node)}")
        if time.monotonic() > deadline:
            raise LocalError(f"node {node.id} does not serve after {timeout_s:.0f} s: "
                             f"{report}\n{log_tail(node)}")
        time.sleep(POLL_S)


def log_tail(node: Node, lines: int = 15) -> str:
    """The last lines of the node's log."""
    try:
        return "\n".join(Path(node.log).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
