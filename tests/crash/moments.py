"""Moments at which three recorded nodes lose their power together, and what they start with."""

import bisect
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.disk import Disk, Luck
from tests.crash.judge import Judge, check
from tests.crash.load import History
from tests.crash.trace import Event, Kind

NAMES = {Kind.OPEN, Kind.MKDIR, Kind.UNLINK, Kind.RENAME, Kind.LINK, Kind.TRUNCATE, Kind.ALLOCATE}
FOUND = {Kind.START, Kind.FOLDER, Kind.FILE}
CHECKS_AT_ONCE = 2


@dataclass(frozen=True, order=True)
class Moment:
    """Just after an event of a node."""

    clock_ns: int
    node_id: int
    what: str


def _what(event: Event, events: list[Event]) -> str:
    """Which of the moments that matter this is; "" for all others."""
    if event.kind in NAMES:
        return event.kind.name.lower()
    first = events[event.begun] if event.kind is Kind.END else event
    if first.kind is Kind.SYNC:
        return "sync"
    if first.kind is Kind.WRITE and first.flag:
        return "durable write"
    return ""


def all_moments(traces: dict[int, list[Event]]) -> list[Moment]:
    """Every one, in order."""
    return sorted(Moment(event.clock_ns, node_id, _what(event, events))
                  for node_id, events in traces.items() for event in events
                  if event.kind not in FOUND)


def draw(moments: list[Moment], count: int, chance: random.Random) -> list[Moment]:
    """So many of them: as many of each kind as there are, or the same share."""
    kinds: dict[str, list[Moment]] = {}
    for moment in moments:
        kinds.setdefault(moment.what, []).append(moment)
    chosen: list[Moment] = []
    left = sorted(kinds.values(), key=len)
    while left:
        some = left.pop(0)
        share = (count - len(chosen)) // (len(left) + 1)
        chosen += chance.sample(some, min(share, len(some)))
    return sorted(chosen)


@dataclass
class Verdict:
    """What was looked at and what was wrong."""

    moments: int = 0
    images: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    promises: int = 0                # looked for, in all moments together
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} after {kind or 'another event'}"
                          for kind, count in sorted(self.kinds.items()))
        return (f"{self.moments} moments ({kinds}), {self.images} directories, "
                f"{self.promises} promises looked for: {len(self.faults)} faults")


class Cuts:
    """Follows the disks of all nodes from moment to moment."""

    def __init__(self, traces: dict[int, list[Event]],
                 lies: dict[str, float] | None = None) -> None:
        self._disks = {node_id: Disk(events, lies) for node_id, events in traces.items()}
        for node_id, disk in self._disks.items():  # what is there before any of them begins
            disk.advance(next(place for place, event in enumerate(traces[node_id])
                              if event.kind not in FOUND))
        self._clocks = {node_id: [event.clock_ns for event in events]
                        for node_id, events in traces.items()}

    def go_to(self, clock_ns: int) -> None:
        """What happened up to then has happened."""
        for node_id, disk in self._disks.items():
            disk.advance(bisect.bisect_right(self._clocks[node_id], clock_ns))

    def write_image(self, node_id: int, folder: Path, luck: Luck, chance: random.Random) -> None:
        """What one node may have when its power is cut now."""
        self._disks[node_id].write_image(folder, luck, chance)


def judge_all(traces: dict[int, list[Event]], history: History, moments: list[Moment],
              folder: Path, chance: random.Random, lies: dict[str, float] | None = None,
              stop_at: int = 1000) -> Verdict:
    """Cut the power of all nodes at each moment, open what is left, look for every promise."""
    cuts, judge, verdict = Cuts(traces, lies), Judge(), Verdict()
    with ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
        for number, moment in enumerate(moments):
            luck = chance.choice(list(Luck))
            cuts.go_to(moment.clock_ns)
            checks = []
            for node_id in traces:
                image = folder / f"{number}-{node_id}"
                cuts.write_image(node_id, image, luck, chance)
                checks.append(pool.submit(check, node_id, image))
            owed = history.owed(moment.clock_ns)
            faults = judge.faults([one.result() for one in checks], owed)
            verdict.moments += 1
            verdict.images += len(checks)
            verdict.promises += len(owed)
            verdict.kinds[moment.what] = verdict.kinds.get(moment.what, 0) + 1
            verdict.faults += [f"cut {number}, just after {moment.what or 'an event'} of node "
                               f"{moment.node_id}, {luck.value} survives: {fault}"
                               for fault in faults]
            for node_id in traces:
                if not faults:
                    shutil.rmtree(folder / f"{number}-{node_id}")
            if len(verdict.faults) >= stop_at:
                break
    return verdict
