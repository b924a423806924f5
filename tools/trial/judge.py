"""The judge of a trial: reads its history once and says which promises were broken, and where.

Each count has a judge that says in its docstring what it counts and what it does not:
judge_messages.py (lost, repeated, reordered, strange), judge_presence.py (flaps, backwards, stale),
judge_sessions.py (ghosts, missing, not resumed), judge_nodes.py (minority service, two leaders,
hashes, not healed), judge_operations.py (not linearizable). What could not be judged is told apart.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tools.trial import history
from tools.trial.history import Event
from tools.trial.judge_figures import Figures
from tools.trial.judge_messages import Messages
from tools.trial.judge_nodes import Nodes
from tools.trial.judge_operations import Operations
from tools.trial.judge_presence import Presences
from tools.trial.judge_sessions import Sessions
from tools.trial.judge_world import Finding, World

# Every count, what it is, and the promises that it is about.
COUNTS = {
    "lost": ("acknowledged and never arrived", "P1"),
    "repeated": ("came twice to a session", "P2"),
    "reordered": ("came after a later one", "P2"),
    "strange": ("came to somebody else, or nobody sent it", "P2"),
    "not resumed": ("a session was refused within its window", "P3"),
    "flaps": ("unavailable was said of who was there, or twice", "P4"),
    "backwards": ("an older presence after a newer one", "P4"),
    "stale": ("at the end somebody is shown wrong", "P4"),
    "ghosts": ("a session that nobody has and nothing ends", "P5"),
    "missing": ("a client is online without a session", "P5"),
    "minority service": ("a node without a majority served", "P6"),
    "two leaders": ("in one term", "P7"),
    "hashes": ("different states at one index", "P7"),
    "not healed": ("a node that is not well at the end", "P8"),
    "not linearizable": ("no order explains what was read", "P1"),
}


class Watcher(Protocol):
    """One who looks on."""

    def on(self, line: int, event: Event) -> None:
        """Take the next event."""


class Judge(Watcher, Protocol):
    """One who looks for broken promises of some kind."""

    findings: list[Finding]

    def finish(self) -> None:
        """The history is over."""


@dataclass
class Verdict:
    """What the judges say."""

    world: World
    figures: Figures
    findings: list[Finding]
    counts: dict[str, int]
    latencies: list[tuple[float, float]]     # of messages: time of arrival, seconds under way
    latencies_s: list[float]                 # the latter, sorted
    undecided: list[str] = field(default_factory=list)  # keys
    complete: bool = True                    # the trial came to its end
    told: dict[str, int] = field(default_factory=dict)  # legal, and good to know

    def is_clean(self) -> bool:
        """No promise was broken, as far as can be said, and all could be judged."""
        return not self.findings and self.complete and not self.undecided


def judge_events(events: Iterable[Event], *watchers: Watcher) -> Verdict:
    """Judge events in their order; the first is line 1. Others may look on."""
    world, figures = World(), Figures()
    messages, presences, sessions = Messages(world), Presences(world), Sessions(world)
    nodes, operations = Nodes(world), Operations(world)
    judges: list[Judge] = [messages, presences, sessions, nodes, operations]
    for line, event in enumerate(events, 1):
        world.on(line, event)
        figures.on(line, event)
        for one in (*judges, *watchers):
            one.on(line, event)
    findings = []
    for judge in judges:
        judge.finish()
        findings += judge.findings
    findings.sort(key=lambda finding: finding.t)
    counts = dict.fromkeys(COUNTS, 0)
    for finding in findings:
        counts[finding.count] += 1
    return Verdict(
        world, figures, findings, counts, messages.latencies,
        sorted(seconds for _, seconds in messages.latencies), operations.undecided,
        world.is_complete(), {
            "messages that may wait for who was away at the end": messages.not_judged,
            "messages that came back as errors": messages.bounced,
            "messages never acknowledged that never came": messages.unanswered,
            "messages moved late from an ended session": messages.moved_late,
            "ends of presence told again after a resume": presences.told_again,
            "keys searched": operations.keys_checked,
            "operations searched": operations.operations,
            "hashes compared": nodes.hashes_compared,
            "sessions looked at": sessions.listed,
        })


def judge(path: Path) -> Verdict:
    """Judge the history in a file."""
    return judge_events(history.read(path))


def lines_of(path: Path, numbers: Iterable[int]) -> dict[int, str]:
    """Those lines of a history."""
    wanted = set(numbers)
    return {number: text for number, text in _numbered(path) if number in wanted}


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            yield number, line.rstrip("\n")
