"""A cluster for one test: tools/cluster underneath, and what tests ask of it."""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lib.xmpp_client import Client, Settings
from tests.lib.xmpp_stream import Address
from tools.local import processes
from tools.local.control import ControlError, ask
from tools.local.layout import FILE, Cluster, Node, load

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"
POLL_S = 0.02
APPLY_TIMEOUT_S = 10.0
UP_TIMEOUT_S = 120.0
LOG_LINES_SHOWN = 60
# Sanitizers, valgrind, assertions (ours, libraft's, glibc's), and glibc on a broken heap or stack.
COMPLAINT = re.compile(r"Sanitizer|runtime error:|^==\d+==.*(lost|Invalid)|(?i:assert)"
                       r"|^(double free|free\(\)|malloc|realloc\(\)|corrupted |\*\*\* )")


def own_address() -> str:
    """A loopback address that hardly any other cluster has: one whose node is down for a moment
    would lose its port to another cluster, and the two would share it, as workers share theirs."""
    return f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"


class TestCluster:
    """Three nodes (or more) in a folder of their own."""

    def __init__(self, *up_options: str, launcher: str = "") -> None:
        """Start it; up_options go to `tools/cluster up`, launcher stands in front of musterd; in it
        {folder} becomes the folder, and {node} the id of the node."""
        self.folder = Path(tempfile.mkdtemp(prefix="muster-test-"))
        launcher = launcher.replace("{folder}", str(self.folder))
        launcher += " " + os.environ.get("MUSTER_LAUNCHER", "")
        try:
            # Valgrind cannot give a node the address space that the store has by default.
            self._tool("up", "--launcher", launcher, "--limit", "map_gib=1", "--bind",
                       own_address(), *up_options)
        except BaseException:
            self.show_logs()
            self.close()
            raise
        self.cluster: Cluster = load(self.folder)
        self.ids = [node.id for node in self.cluster.nodes]

    def close(self) -> None:
        """Stop it gracefully and remove it.

        AssertionError: a node died by itself or in its stop, or somebody complains in its log.
        """
        try:
            if (self.folder / FILE).exists():
                died = [node.id for node in load(self.folder).nodes
                        if not processes.is_running(node)]
                stop = self._run_tool("down")
                complaints = self._complaints()
                if died or stop.returncode != 0 or complaints:
                    self.show_logs(died)
                    raise AssertionError(f"not running at the end: {died}; {stop.stderr}"
                                         f"said: {complaints}")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _complaints(self) -> list[str]:
        """Lines in the nodes' logs that no healthy program writes."""
        return [f"{log.parent.name}: {line}" for log in sorted(self.folder.glob("n*/log"))
                for line in log.read_text(errors="replace").splitlines() if COMPLAINT.search(line)]

    def _run_tool(self, verb: str, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(ROOT / "tools" / "cluster"), verb, "--dir", str(self.folder), *arguments],
            capture_output=True, text=True, timeout=UP_TIMEOUT_S, check=False)

    def _tool(self, verb: str, *arguments: str) -> None:
        done = self._run_tool(verb, *arguments)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def show_logs(self, last: Sequence[int] = ()) -> None:
        """The end of every node's log, for whoever reads a failure; those of the nodes that it is
        about come last, where the runner shows them."""
        names = [f"n{node_id}" for node_id in last]
        for log in sorted(self.folder.glob("n*/log"),
                          key=lambda log: (log.parent.name in names, log)):
            lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            print("\n".join([f"--- {log.parent.name}", *lines]), file=sys.stderr)

    # ------------------------------------------------------------ nodes

    def node(self, node_id: int) -> Node:
        """The node as it is now: its process id changes when it is started again."""
        return load(self.folder).node(node_id)

    def kill(self, node_id: int) -> None:
        """kill -9."""
        node = self.node(node_id)
        processes.send_signal(node, signal.SIGKILL)
        processes.wait_gone(node)

    def wait_gone(self, node_id: int) -> None:
        """Wait for the end of a node that was told to stop."""
        if not processes.wait_gone(self.node(node_id)):
            raise TimeoutError(f"node {node_id} does not stop")

    def pause(self, node_id: int) -> None:
        """SIGSTOP."""
        processes.send_signal(self.node(node_id), signal.SIGSTOP)

    def unpause(self, node_id: int) -> None:
        """SIGCONT."""
        processes.send_signal(self.node(node_id), signal.SIGCONT)

    async def start(self, node_id: int) -> None:
        """Start a node that was killed and wait until it serves."""
        await asyncio.to_thread(self._tool, "start", str(node_id))

    def start_and_leave(self, node_id: int) -> None:
        """Start a node that was killed, and do not wait: it may never serve."""
        self._tool("start", str(node_id), "--no-wait")

    async def rejoin(self, node_id: int, role: str = "voter") -> None:
        """Wipe a node that was killed and let it join again; wait until it serves."""
        await asyncio.to_thread(self._tool, "rejoin", str(node_id), "--role", role)

    def wipe(self, node_id: int) -> None:
        """Take all that a node that was killed has, but for the name of its membership."""
        data = Path(self.node(node_id).data)
        raft_id = self.raft_id(node_id)
        shutil.rmtree(data)
        data.mkdir(mode=0o700)
        (data / "node.json").write_text(json.dumps({"node": node_id, "raft_id": raft_id}) + "\n")

    def raft_id(self, node_id: int) -> int:
        """The raft id of a node's present membership."""
        return json.loads((Path(self.node(node_id).data) / "node.json").read_text())["raft_id"]

    def ask(self, node_id: int, verb: str, **args: Any) -> Any:
        """Ask a node through its control socket."""
        return ask(self.cluster.node(node_id).control, verb, args)

    def leader(self) -> int | None:
        """The node that says it leads; None while there is none."""
        for node_id in self.ids:
            status = processes.status(self.node(node_id))
            if status.get("role") == "leader" and status.get("serving"):
                return node_id
        return None

    async def wait_leader(self, timeout_s: float = 20.0) -> int:
        """Wait until a node leads."""
        deadline = time.monotonic() + timeout_s
        while (leader := self.leader()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no leader within {timeout_s} s")
            await asyncio.sleep(POLL_S)
        return leader

    async def wait_serving(self, node_id: int, timeout_s: float, wanted: bool = True) -> None:
        """Wait until a node serves clients (or, unless wanted, does not)."""
        deadline = time.monotonic() + timeout_s
        while self.ask(node_id, "node.status")["serving"] != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"node {node_id}: serving is not {wanted} in {timeout_s:.0f} s")
            await asyncio.sleep(POLL_S)

    def wait_written(self, timeout_s: float = 20.0) -> None:
        """Wait until every node knows that the cluster writes what they all read. A new one serves
        some moments before, and refuses till then what only that version has, as imports."""
        deadline = time.monotonic() + timeout_s
        while not all(self.ask(node_id, "cluster.upgrade-check")["written"]
                      for node_id in self.ids):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no version is written after {timeout_s:.0f} s")
            time.sleep(POLL_S)

    async def wait_equal(self, timeout_s: float = 30.0) -> str:
        """Wait until all nodes have reached one mark; their hashes there must be equal (P7)."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._compare_hashes()
            except ControlError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no common mark within {timeout_s} s: {error}") from error
            await asyncio.sleep(POLL_S)

    def _compare_hashes(self) -> str:
        """ControlError: a node has not come to the newest mark of the leader yet."""
        leader = self.leader()
        if leader is None:
            raise ControlError("no leader")
        newest = self.ask(leader, "state.hash")
        hashes = {node_id: self.ask(node_id, "state.hash", index=newest["index"])["hash"]
                  for node_id in self.ids}
        if len(set(hashes.values())) != 1:
            raise AssertionError(f"states differ at index {newest['index']}: {hashes}")
        return newest["hash"]

    # ------------------------------------------------------------ users

    def add_user(self, name: str) -> str:
        """Make an account that every serving node knows; returns its address. Its password is
        PASSWORD."""
        jid = f"{name}@{self.cluster.domain}"
        leader = self.leader() or self.ids[0]
        self.ask(leader, "user.add", user=jid, password=PASSWORD)
        for node_id in self.ids:
            if processes.status(self.node(node_id)).get("serving"):
                self._wait_known(node_id, jid)
        return jid

    def _wait_known(self, node_id: int, jid: str) -> None:
        """The answer to user.add speaks for the node that was asked; the others apply it too."""
        deadline = time.monotonic() + APPLY_TIMEOUT_S
        while True:
            try:
                self.ask(node_id, "user.show", user=jid)
                return
            except ControlError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    def addresses(self, first: int, direct: bool = False) -> list[Address]:
        """Where the nodes listen for clients, beginning with one and going round."""
        begin = self.ids.index(first)
        service = "c2s_tls" if direct else "c2s"
        nodes = [node for node_id in self.ids[begin:] + self.ids[:begin]
                 if not (node := self.cluster.node(node_id)).witness]
        return [Address(node.host, node.ports[service], direct) for node in nodes]

    def node_at(self, address: Address) -> int:
        """The node that listens at an address."""
        for node in self.cluster.nodes:
            if address.host == node.host and address.port in node.ports.values():
                return node.id
        raise ValueError(f"no node at {address}")

    def client(self, jid: str, first: int, direct: bool = False, **settings: Any) -> Client:
        """A client of the account that knows all nodes and begins with one."""
        return Client(Settings(jid, PASSWORD, self.addresses(first, direct), self.cluster.ca,
                               **settings))
