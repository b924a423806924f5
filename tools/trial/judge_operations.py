"""Operations on keys: does one order of them explain what everybody was told (linear.py)?

What each promises, from the design and the code:

- roster-set, roster-remove, assign are commands of the log, each done once or not at all. Their
  answer comes after their apply. So they are linearizable; one whose outcome is unknown may be
  done at any later time, or never. A removal that found no item is a read that found nothing.
- roster-get is linearizable, too, although a node answers it from its own state: it is a command
  of the log (DESIGN 5, "Requests"), so the state it is answered from has everything that was
  applied before it, by whichever node.
- A roster push tells of one change at its place in the log. A session gets them in that order, how
  late is not promised, and the answer to its own roster-get may be newer than pushes that follow:
  old reads of a view of their own.
  At the end all connected sessions of an account that were ever told of an item were last told
  the same ("stale").
- where (musterctl user show) is answered by one node from what it has applied: a read that may be
  old, but not older than what the same incarnation of the node said before or was asked to do
  itself. After a restart a node that does not serve yet may be behind (DESIGN 7, "Start gate").
  What it says before anybody was assigned by hand is left out: the cluster gives homes by itself.

Presence is a register, too, with one writer each; judge_presence.py ("backwards") checks its reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.trial import linear
from tools.trial.history import Event, Operation, RosterPush
from tools.trial.judge_world import Finding, World
from tools.trial.linear import ABSENT, NEVER, Answer, Op, What

LINES_MAX = 12


@dataclass
class Read:
    """A whole roster as a client was told."""

    begin: float
    end: float
    line: int
    items: dict[str, Any]


class Operations:
    """Fed with the history; asks for each key whether there is an order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[Finding] = []
        self.undecided: list[str] = []
        self.keys_checked = 0
        self.operations = 0
        self._open: dict[int, tuple[Operation, int]] = {}     # invoked and not ended
        self._ops: dict[str, list[Op]] = {}                   # key
        self._homes: set[str] = set()                         # keys that may begin with any value
        self._rosters: dict[str, list[Read]] = {}             # account
        self._pushes: dict[str, list[Op]] = {}

    def on(self, line: int, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, RosterPush):
            value = ABSENT if event.name is None else event.name
            self._pushes.setdefault(f"{event.account} {event.contact}", []).append(Op(
                What.READ, event.t, event.t, value, f"pushes {event.session}", line))
        elif isinstance(event, Operation):
            if event.phase == "invoke":
                self._open[event.id] = (event, line)
            elif event.id in self._open:
                self._on_outcome(line, event, *self._open.pop(event.id))

    def _on_outcome(self, line: int, event: Operation, asked: Operation, asked_line: int) -> None:
        end = NEVER if event.phase == "unknown" else event.t
        if event.f == "roster-get":
            if event.phase == "ok":
                self._rosters.setdefault(event.key, []).append(
                    Read(asked.t, end, line, dict(event.value or {})))
                self.operations += 1
            return
        op = _op_of(event, asked, end, line if end != NEVER else asked_line)
        if op is not None:
            self._ops.setdefault(event.key, []).append(op)
            self.operations += 1
        if event.f in ("assign", "where"):
            self._homes.add(event.key)

    def finish(self) -> None:
        """Search, key by key."""
        for asked, line in self._open.values():
            unknown = Operation(asked.t, asked.id, asked.client, asked.f, asked.key, "unknown",
                                asked.value, asked.node, asked.session)
            if asked.f != "roster-get":
                op = _op_of(unknown, asked, NEVER, line)
                if op is not None:
                    self._ops.setdefault(asked.key, []).append(op)
        self._open.clear()
        self._check_last_pushes()
        for key in sorted(self._ops):
            ops = self._of_hand(key) + list(self._reads_of(key)) + self._pushes.get(key, [])
            self._check(key, ops)

    def _check_last_pushes(self) -> None:
        if not self.world.is_complete():
            return
        connected = {f"pushes {session.number}": session
                     for session in self.world.sessions.values() if session.is_open()}
        for key, pushes in self._pushes.items():
            last = {push.view: push for push in pushes if push.view in connected}
            newest = max(last.values(), key=lambda push: push.begin, default=None)
            for view, push in last.items():
                if newest is not None and push.value != newest.value:
                    self.findings.append(Finding(
                        "stale", newest.begin, f"at the end {connected[view].client} was last told "
                        f"{push.value!r} of {key}, another device {newest.value!r}",
                        [push.tag, newest.tag]))

    def _of_hand(self, key: str) -> list[Op]:
        """The operations on a key since it is in somebody's hand."""
        ops = self._ops[key]
        if key not in self._homes:
            return ops
        first = min((op.end for op in ops if op.what is What.SET), default=NEVER)
        return [op for op in ops if op.what is What.SET or op.end >= first]

    def _reads_of(self, key: str) -> Iterator[Op]:
        account, _, contact = key.partition(" ")
        for read in self._rosters.get(account, []) if contact else []:
            yield Op(What.READ, read.begin, read.end, read.items.get(contact, ABSENT), "",
                     read.line)

    def _check(self, key: str, ops: list[Op]) -> None:
        initials: list[Any] = [ABSENT]
        if key in self._homes:
            initials += sorted({op.value for op in ops if op.value is not ABSENT})
        result = linear.check(ops, initials)
        self.keys_checked += 1
        if result.answer is Answer.UNDECIDED:
            self.undecided.append(key)
        elif result.answer is Answer.NO:
            stuck = result.stuck[0]
            wanted = {stuck.value, result.value}
            before = [op for op in ops if op.begin <= stuck.end and op.what is not What.READ
                      and (op.value in wanted or op.end >= stuck.begin)]
            lines = [op.tag for op in sorted(before, key=lambda op: op.begin)[-LINES_MAX:]]
            self.findings.append(Finding(
                "not linearizable", stuck.begin, f"{key}: no order explains the {stuck.what.value} "
                f"of {stuck.value!r} that ended at {stuck.end:.3f} s; the longest ends with "
                f"{result.value!r}", lines + [op.tag for op in result.stuck[:3]]))


def _op_of(event: Operation, asked: Operation, end: float, line: int) -> Op | None:
    """What the search is to explain, or None when the operation did and told nothing."""
    view = f"node {asked.node} {asked.session}" if asked.node else f"asked {asked.id}"
    absent = event.phase == "fail" and "item-not-found" in event.detail
    if event.f == "where":
        if event.phase != "ok":
            return None
        value = ABSENT if event.value is None else event.value
        return Op(What.READ, asked.t, end, value, view, line)
    if event.f == "roster-remove":
        what = What.READ if absent else What.REMOVE
        return None if event.phase == "fail" and not absent else Op(
            what, asked.t, end, ABSENT, "", line)
    if event.f in ("roster-set", "assign") and event.phase != "fail":
        return Op(What.SET, asked.t, end, asked.value, view if event.f == "assign" else "", line)
    return None
