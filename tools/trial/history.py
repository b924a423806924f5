"""The history of a trial: what the harness did and what its clients saw, one JSON object a line.

Every event has `t`, seconds of one monotonic clock since the trial began, and `kind`. The judge
takes the times literally, so what writes events keeps to this:

- An act of a client (sent, presence-set, an operation's invoke, `began` of online) has the time
  from before its bytes were written; a thing seen (acked, got, ok ...) that from after they were
  read. A fault's begin is written when it is in force, its end before it is taken away. Then "acked
  between begin and end" is true whatever the harness's own delays are.
- `client` is a device: one name for the whole trial, one session at a time. Its resource may
  change. `session` is a number, new with each login and kept over resumes; `connection` a number,
  new with each connection. Both are unique in the trial.
- A message is named by (client that sent it, number). A client's numbers ascend over the whole
  trial, to whomever they go; what it writes again after a resume keeps its number.
- A client's status numbers ascend over the whole trial, too; they are the text of <status/>.

A field at its default is left out of the line. A reader skips fields that it does not know and
refuses kinds that it does not know.
"""

import dataclasses
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar


@dataclass
class Event:
    """What all events have."""

    kind: ClassVar[str] = ""
    t: float


@dataclass
class Run(Event):
    """The first line: what is tried, and what the judge must know of the cluster."""

    kind: ClassVar[str] = "run"
    seed: int
    nodes: list[int]
    minutes: float = 0.0
    faults: list[str] = field(default_factory=list)  # the names of those that may come
    version: str = ""                                # of musterd
    command: str = ""                                # repeats the trial
    voters: list[int] = field(default_factory=list)  # at the begin; empty: all nodes
    lease_s: float = 1.0
    resume_window_s: float = 600.0                   # of a session that can be resumed


@dataclass
class Phase(Event):
    """A part of the trial begins.

    load: clients act, faults come. heal: no fault is left, clients still act. quiet: clients are
    connected and act no more. end: nothing is on its way any longer, final events follow.
    """

    kind: ClassVar[str] = "phase"
    name: str


@dataclass
class FaultBegin(Event):
    """A fault is in force."""

    kind: ClassVar[str] = "fault-begin"
    id: int
    name: str
    nodes: list[int] = field(default_factory=list)       # whom it hits
    down: list[int] = field(default_factory=list)        # those that do not run: killed, stopped
    cut: list[list[int]] = field(default_factory=list)   # [a, b]: nothing gets from a to b
    detail: str = ""


@dataclass
class FaultEnd(Event):
    """A fault is about to be taken away."""

    kind: ClassVar[str] = "fault-end"
    id: int
    detail: str = ""


@dataclass
class Members(Event):
    """The cluster's membership is another one from about now on."""

    kind: ClassVar[str] = "members"
    voters: list[int]
    standbys: list[int] = field(default_factory=list)


@dataclass
class NodeSample(Event):
    """What a node said of itself."""

    kind: ClassVar[str] = "node"
    node: int
    answers: bool = True       # false: it runs no more, or says nothing within the time
    serving: bool = False
    role: str = ""             # leader, follower, candidate ... of Raft
    leader: int = 0            # whom it takes for the leader; 0: nobody
    term: int = 0
    applied: int = 0
    state: str = ""            # of its redundancy group, as operators see it
    reason: str = ""
    alarms: list[str] = field(default_factory=list)


@dataclass
class Online(Event):
    """A client has a session, by login or resume; or it was told that there is none to resume."""

    kind: ClassVar[str] = "online"
    client: str
    account: str               # bare JID
    jid: str                   # full JID
    node: int
    how: str                   # login, resume, resume-failed
    session: int
    connection: int
    began: float = -1.0        # when it began to connect; below 0: not known
    detail: str = ""


@dataclass
class Offline(Event):
    """A client's connection has ended.

    why: logout (unavailable presence and the end of the stream were written), gave-up (it throws
    the session away and tells nobody), drop (the harness cut the connection), node (the node or
    the network ended it).
    """

    kind: ClassVar[str] = "offline"
    client: str
    session: int
    connection: int
    why: str
    detail: str = ""


@dataclass
class Sent(Event):
    """A client wrote a message."""

    kind: ClassVar[str] = "sent"
    client: str
    account: str
    to: str                    # bare or full JID
    number: int
    node: int
    session: int
    connection: int
    again: bool = False        # a resume said that the server has not counted it


@dataclass
class Acked(Event):
    """The server's <a h/> or <resumed h/> or <failed h/> covers these messages of the client."""

    kind: ClassVar[str] = "acked"
    client: str
    numbers: list[int]
    node: int
    session: int
    connection: int


@dataclass
class Bounced(Event):
    """A message came back as an error."""

    kind: ClassVar[str] = "bounced"
    client: str
    number: int
    condition: str = ""
    connection: int = 0


@dataclass
class Got(Event):
    """A client got a message."""

    kind: ClassVar[str] = "got"
    client: str
    account: str
    jid: str                   # full JID of who got it
    sender: str                # the client that sent it
    number: int
    node: int
    session: int
    connection: int
    stanza_id: str = ""
    delay: str = ""            # the stamp of XEP-0203, when there is one


@dataclass
class PresenceSet(Event):
    """A client wrote presence to all its contacts."""

    kind: ClassVar[str] = "presence-set"
    client: str
    jid: str
    status: int
    node: int
    session: int
    connection: int
    available: bool = True


@dataclass
class PresenceSeen(Event):
    """A client got presence."""

    kind: ClassVar[str] = "presence-seen"
    client: str
    source: str                # full JID
    node: int
    session: int
    connection: int
    available: bool = True
    status: int = 0            # 0: none was in it


@dataclass
class Operation(Event):
    """A step of an operation on a key: invoke, then one of ok, fail, unknown, by the same id.

    f, key, value:
    - roster-set, roster-remove: "account contact", the item's name or null;
    - roster-get: "account", and in the ok event the whole roster: {contact: name};
    - presence-set: the full JID, the status number;
    - assign, where: the account, the node that serves it (null: nobody is assigned). `node` is
      the one that was asked, `session` its incarnation: within one, answers may not go back.
    fail says that it had no effect, with the condition in detail; unknown that nobody knows.
    """

    kind: ClassVar[str] = "operation"
    id: int
    client: str                # or "operator"
    f: str
    key: str
    phase: str
    value: Any = None
    node: int = 0
    session: int = 0
    connection: int = 0
    detail: str = ""


@dataclass
class RosterPush(Event):
    """A client was told of a change of its roster (RFC 6121 §2.1.6)."""

    kind: ClassVar[str] = "roster-push"
    client: str
    account: str
    contact: str
    node: int
    session: int
    connection: int
    name: str | None = None    # null: the item was removed


@dataclass
class FinalNode(Event):
    """The end as a node has it."""

    kind: ClassVar[str] = "final-node"
    node: int
    applied: int
    hash: str                  # of the state at that index
    serving: bool = True
    state: str = ""
    alarms: list[str] = field(default_factory=list)


@dataclass
class FinalSession(Event):
    """A session in the state at the end, as a node shows it."""

    kind: ClassVar[str] = "final-session"
    seen_by: int               # the node that was asked
    jid: str                   # full JID
    state: str = ""            # live, detached
    node: int = 0              # the owner
    deadline_s: float | None = None  # what is left of it; null: none runs


@dataclass
class Note(Event):
    """A word for the reader."""

    kind: ClassVar[str] = "note"
    text: str


_ALL: tuple[type[Event], ...] = (
    Run, Phase, FaultBegin, FaultEnd, Members, NodeSample, Online, Offline, Sent, Acked, Bounced,
    Got, PresenceSet, PresenceSeen, Operation, RosterPush, FinalNode, FinalSession, Note)
KINDS: dict[str, type[Event]] = {event.kind: event for event in _ALL}
_FIELDS = {kind: frozenset(item.name for item in dataclasses.fields(event))
           for kind, event in KINDS.items()}


class HistoryError(Exception):
    """A line that is no event."""


class Writer:
    """Appends events to a file; a line is in the kernel's hands when append() returns, so that the
    history of a harness that is killed ends with its last event."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._last = 0.0

    def append(self, event: Event) -> None:
        """Write one event. Times may not go back."""
        if event.t < self._last:
            raise HistoryError(f"{event.kind} at {event.t:.6f} comes after {self._last:.6f}")
        self._last = event.t
        self._file.write(encode(event) + "\n")

    def close(self) -> None:
        """End of the history."""
        self._file.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode(event: Event) -> str:
    """An event as its line."""
    line: dict[str, Any] = {"t": round(event.t, 6), "kind": event.kind}
    for item in dataclasses.fields(event):
        value = getattr(event, item.name)
        default = item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        if item.name != "t" and (default is dataclasses.MISSING or value != default):
            line[item.name] = round(value, 6) if isinstance(value, float) else value
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def decode(line: str) -> Event:
    """A line as its event."""
    try:
        values = json.loads(line)
        event = KINDS[values.pop("kind")]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise HistoryError(f"no event: {line[:200]!r}") from error
    known = _FIELDS[event.kind]
    try:
        if not known.issuperset(values):
            values = {name: value for name, value in values.items() if name in known}
        return event(**values)
    except TypeError as error:
        raise HistoryError(f"{event.kind}: {error}: {line[:200]!r}") from error


def read(path: Path) -> Iterator[Event]:
    """The events of a file, one after the other; a last line that was cut short is left out."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):
                return
            yield decode(line)


T = typing.TypeVar("T", bound=Event)


def of_kind(events: typing.Iterable[Event], kind: type[T]) -> Iterator[T]:
    """Those events that are of one kind."""
    return (event for event in events if isinstance(event, kind))
