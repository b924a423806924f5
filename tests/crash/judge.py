"""What three nodes hold that lost their power at one moment, and whether that is enough."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tools.local.main import find_program

PROGRAM = "tests/image_check"
CHECK_TIMEOUT_S = 60.0


@dataclass
class Found:
    """What image_check says of one directory."""

    fault: str = ""                  # why it can not be read
    begun: bool = False
    store_index: int = 0
    store_term: int = 0
    first: int = 0                   # of the log
    last: int = 0
    last_term: int = 0
    term: int = 0
    manifest: int = 0
    copied: int | None = None
    hashes: dict[tuple[int, int], str] = field(default_factory=dict)  # by index and term of a mark
    tokens: set[str] = field(default_factory=set)


def program() -> Path:
    """It is built beside the programs."""
    return Path(find_program("musterd")).parents[1] / PROGRAM


def check(node_id: int, folder: Path) -> Found:
    """Open what a node has, apply its log."""
    found = Found()
    try:
        done = subprocess.run([program(), str(node_id), str(folder)], capture_output=True,
                              text=True, timeout=CHECK_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        found.fault = f"does not end in {CHECK_TIMEOUT_S:.0f} s"
        return found
    if done.returncode != 0:
        found.fault = f"exit code {done.returncode}: {done.stderr.strip()}"
    for line in done.stdout.splitlines():
        what, *words = line.split()
        if what == "begun":
            found.begun = words[0] == "1"
        elif what == "store":
            found.store_index, found.store_term = int(words[0]), int(words[1])
            found.hashes[found.store_index, found.store_term] = words[2]
        elif what == "term":
            found.term = int(words[0])
        elif what == "manifest":
            found.manifest = int(words[0])
            found.hashes.setdefault((found.manifest, 0), words[1])
        elif what == "log":
            found.first, found.last, found.last_term = map(int, words)
        elif what == "copied":
            found.copied = int(words[0])
        elif what == "mark":
            found.hashes[int(words[0]), int(words[1])] = words[2]
        elif what == "token":
            found.tokens.add(words[0])
    return found


def faults_of_one(found: Found) -> list[str]:
    """What a node may not be, whatever the others have."""
    if found.fault:
        return [found.fault]
    if not found.begun:
        return []
    faults = []
    if found.manifest > found.store_index:
        faults.append(f"its snapshot stands for {found.manifest}, its store ends at "
                      f"{found.store_index}")
    needed = found.store_index if found.copied is None else min(found.store_index, found.copied)
    if found.last < needed:
        faults.append(f"its log ends at {found.last}, before what it acknowledged: {needed}")
    if found.last_term > found.term:
        faults.append(f"its log has term {found.last_term}, it knows of {found.term}")
    return faults


class Judge:
    """Judges one moment after the other; what the state was at a mark must be so for ever."""

    def __init__(self) -> None:
        self.hashes: dict[tuple[int, int], str] = {}

    def faults(self, nodes: list[Found], owed: set[str]) -> list[str]:
        """What is wrong with nodes that start with this, and owe that to clients.

        Any two of them may be the ones that come back, and the one with the later log leads them:
        so of three at least the second best must have everything.
        """
        faults = [fault for found in nodes for fault in faults_of_one(found)]
        for found in nodes:
            for mark, value in found.hashes.items():
                if mark[1] != 0 and self.hashes.setdefault(mark, value) != value:
                    faults.append(f"states differ at index {mark[0]} of term {mark[1]}")
        if faults:
            return faults
        second = sorted(nodes, key=lambda found: (found.last_term, found.last))[-2]
        lost = owed - second.tokens
        if lost:
            faults.append(f"{len(lost)} of {len(owed)} promises are broken: "
                          f"{', '.join(sorted(lost)[:5])}...")
        return faults
