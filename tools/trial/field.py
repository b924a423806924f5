"""The cluster as faults and operators handle it: its processes, networks, disks and clocks, and the
record of what is done to them. What a fault has begun, mend() ends, however the fault ended."""

import asyncio
import itertools
import json
import signal
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lib.cluster import COMPLAINT
from tools.local import membership, processes
from tools.local.layout import Cluster, LocalError, Node, load, save
from tools.local.main import find_program
from tools.local.network import Network
from tools.local.small_disk import SmallDisk
from tools.trial.history import FaultBegin, FaultEnd, Members, Note
from tools.trial.record import Record
from tools.trial.wire import Wire

HEAL_TIMEOUT_S = 120.0   # for a cluster without faults to serve with all its nodes (P8)
POLL_S = 0.1
CTL_TIMEOUT_S = 10


@dataclass
class Said:
    """What musterctl said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its one JSON value."""
        return json.loads(self.out)


class NotHealed(Exception):
    """Without faults the cluster does not come back in time."""


class Field:
    """Nodes by their ids. All methods are for the event loop's thread."""

    def __init__(self, folder: Path, record: Record, network: Network | None,
                 wire: Wire | None, disks: dict[int, SmallDisk], gear: Path | None) -> None:
        self.folder = folder
        self.record = record
        self.network = network
        self.wire = wire
        self.disks = disks
        self.gear = gear
        self.cluster: Cluster = load(folder)
        self.ids = [node.id for node in self.cluster.nodes]
        self.may_end: set[int] = set()     # nodes that the harness has ended, or made end
        self.crashes: list[str] = []       # nodes that ended by themselves
        self._musterctl = find_program("musterctl")
        self._numbers = itertools.count(1)
        self._open: set[int] = set()

    def node(self, node_id: int) -> Node:
        """A node, with its process as it is now."""
        return self.cluster.node(node_id)

    # ------------------------------------------------------------ the record

    def began(self, name: str, nodes: Iterable[int], *, down: Iterable[int] = (),
              cut: Iterable[tuple[int, int]] = (), detail: str = "") -> int:
        """A fault is in force from now on."""
        number = next(self._numbers)
        self._open.add(number)
        self.record.write(FaultBegin(
            self.record.now(), number, name, list(nodes), list(down),
            [list(pair) for pair in cut], detail))
        return number

    def ending(self, number: int, detail: str = "") -> None:
        """It is about to be taken away."""
        self._open.remove(number)
        self.record.write(FaultEnd(self.record.now(), number, detail))

    def note(self, text: str) -> None:
        """A word for the reader, and on the terminal."""
        self.record.say(text)
        self.record.write(Note(self.record.now(), text))

    # ------------------------------------------------------------ processes

    def is_running(self, node_id: int) -> bool:
        """Whether its process lives."""
        return processes.is_running(self.node(node_id))

    async def kill(self, ids: Iterable[int]) -> None:
        """kill -9, all at once."""
        victims = [self.node(node_id) for node_id in ids]
        self.may_end |= {node.id for node in victims}
        for node in victims:
            if processes.is_running(node):
                processes.send_signal(node, signal.SIGKILL)
        for node in victims:
            await asyncio.to_thread(processes.wait_gone, node)

    def signal(self, node_id: int, number: signal.Signals) -> None:
        """A signal, if it runs."""
        if self.is_running(node_id):
            processes.send_signal(self.node(node_id), number)

    async def stop(self, node_id: int) -> None:
        """Stop it in order."""
        node = self.node(node_id)
        self.may_end.add(node_id)
        since = processes.log_size(node)
        self.signal(node_id, signal.SIGTERM)
        if not await asyncio.to_thread(processes.wait_gone, node):
            self.crashes.append(f"node {node_id} does not stop when told")
            await self.kill([node_id])
        elif not processes.stopped_well(node, since):
            self.crashes.append(f"node {node_id} died in its stop")

    def start(self, node_id: int) -> None:
        """Start it, unless it runs; whether it serves is seen later."""
        node = self.node(node_id)
        if not processes.is_running(node):
            processes.start(self.cluster, node)
            save(self.folder, self.cluster)
            self.may_end.discard(node_id)

    def data(self, node_id: int) -> Path:
        """Where it keeps what it has."""
        return Path(self.node(node_id).data)

    async def remove(self, node_id: int) -> None:
        """End the membership of a node that does not run, and wipe it."""
        self.record.write(Members(self.record.now(), self.others(node_id)))
        await asyncio.to_thread(self._remove, self.node(node_id))

    def _remove(self, node: Node) -> None:
        """It is tried again while a leader is being elected."""
        deadline = time.monotonic() + HEAL_TIMEOUT_S
        while True:
            try:
                membership.wipe(self.cluster, node)
                return
            except LocalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    async def join(self, node_id: int) -> None:
        """Let a node that was removed join as a new one, and wait until it votes."""
        try:
            await asyncio.to_thread(membership.join, self.cluster, self.node(node_id),
                                    HEAL_TIMEOUT_S)
        finally:
            save(self.folder, self.cluster)
        self.may_end.discard(node_id)
        self.record.write(Members(self.record.now(), self.ids))

    async def until_voter(self, node_id: int) -> None:
        """Wait until it has a vote."""
        deadline = time.monotonic() + HEAL_TIMEOUT_S
        while not any(peer["node"] == node_id and peer["role"] == "voter"
                      for report in (await self.reports()).values()
                      for peer in report.get("peers", [])):
            if time.monotonic() > deadline:
                raise NotHealed(f"node {node_id} has no vote after {HEAL_TIMEOUT_S:.0f} s")
            await asyncio.sleep(POLL_S)

    def others(self, node_id: int) -> list[int]:
        """All nodes but one."""
        return [one for one in self.ids if one != node_id]

    # ------------------------------------------------------------ operators

    async def ctl(self, *words: str, timeout_s: int = CTL_TIMEOUT_S) -> Said:
        """musterctl at whatever node serves."""
        process = await asyncio.create_subprocess_exec(
            self._musterctl, "--cluster", str(self.folder), "--timeout", str(timeout_s), *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())

    async def leader(self) -> int | None:
        """Who says that it leads; None while there is none."""
        for report in (await self.reports()).values():
            if report.get("role") == "leader" and report.get("serving"):
                return report["node"]
        return None

    async def reports(self) -> dict[int, dict[str, Any]]:
        """What each node says of itself, by its id."""
        said = await asyncio.gather(*(asyncio.to_thread(processes.status, node)
                                      for node in self.cluster.nodes))
        return dict(zip(self.ids, said))

    # ------------------------------------------------------------ clocks, held disks

    def set_clock(self, node_id: int, ahead_s: int) -> None:
        """How far the node's wall clock is ahead. In place: the node has the file mapped."""
        assert self.gear is not None
        path = self.gear / f"clock.{node_id}"
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("=q", ahead_s))

    def set_disk(self, node_id: int, trouble: str | None) -> None:
        """What the preloaded library (tests/lib/held_disk) does to the node's writes."""
        assert self.gear is not None
        path = self.gear / f"held.{node_id}"
        if trouble is not None:
            fresh = path.with_name(f"{path.name}.new")
            fresh.write_text(trouble)
            fresh.rename(path)
        else:
            path.unlink(missing_ok=True)

    # ------------------------------------------------------------ healing

    def mend(self) -> None:
        """End whatever is still in force, and start what does not run."""
        for number in sorted(self._open):
            self.ending(number, "mended")
        if self.network is not None:
            self.network.heal()
        if self.wire is not None:
            self.wire.heal()
        for node_id in self.ids:
            if self.network is not None:
                self.network.set_line(node_id, True)
            if self.gear is not None:
                self.set_clock(node_id, 0)
                self.set_disk(node_id, None)
            if node_id in self.disks:
                self.disks[node_id].clear()
            self.signal(node_id, signal.SIGCONT)
            if (Path(self.node(node_id).data) / "node.json").exists():
                self.start(node_id)

    async def until_whole(self, timeout_s: float = HEAL_TIMEOUT_S) -> None:
        """Wait until all nodes serve under one leader. A node that has ended is started again, as
        systemd would do it."""
        deadline = time.monotonic() + timeout_s
        while not self._is_whole(reports := await self.reports()):
            if time.monotonic() > deadline:
                raise NotHealed(f"not whole after {timeout_s:.0f} s: {json.dumps(reports)}")
            for node_id in self.ids:
                self.restart_if_ended(node_id)
            await asyncio.sleep(POLL_S)
        self.may_end.clear()

    def _is_whole(self, reports: dict[int, dict[str, Any]]) -> bool:
        leaders = {report.get("leader") for report in reports.values()}
        return (all(report.get("serving") for report in reports.values())
                and len(leaders) == 1 and not leaders & {0, None}
                and all(processes.accepts_clients(node) for node in self.cluster.nodes
                        if not node.witness))

    def complaints(self) -> list[str]:
        """Lines of the nodes' logs that no healthy program writes."""
        found = []
        for node in self.cluster.nodes:
            with open(node.log, encoding="utf-8", errors="replace") as log:
                found += [f"node {node.id} said: {line.rstrip()}" for line in log
                          if COMPLAINT.search(line)]
        return found

    def restart_if_ended(self, node_id: int) -> None:
        """A node that ended, and nobody ended it, is a crash."""
        if self.is_running(node_id):
            return
        if node_id not in self.may_end:
            tail = processes.log_tail(self.node(node_id))
            self.crashes.append(f"node {node_id} ended by itself:\n{tail}")
            self.note(self.crashes[-1])
        self.start(node_id)
