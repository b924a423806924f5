"""What happened when: the course of a trial as rows of a picture, collected while it is judged."""

from dataclasses import dataclass, field

from tools.trial.history import (Event, FaultBegin, FaultEnd, NodeSample, Offline, Online, Phase,
                                 Run)

SILENT = "silent"            # it runs no more, or says nothing
WAITING = "not serving"
SERVING = "serving"
STANDING_IN = "serving, its group is not in normal mode"
QUIET_STATES = ("", "Normal", "Unknown")   # of a redundancy group (docs/ha.md)


@dataclass
class Span:
    """Something that lasted."""

    begin: float
    end: float
    name: str
    detail: str = ""


@dataclass
class Timeline:
    """Fed with the history."""

    end: float = 0.0
    nodes: list[int] = field(default_factory=list)
    faults: list[Span] = field(default_factory=list)
    phases: list[tuple[float, str]] = field(default_factory=list)
    leaders: list[Span] = field(default_factory=list)
    states: dict[int, list[Span]] = field(default_factory=dict)
    online: list[tuple[float, int]] = field(default_factory=list)   # from then on so many
    clients: int = 0
    _open: dict[int, Span] = field(default_factory=dict)
    _connected: set[str] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)
    _term: int = 0

    def on(self, _line: int, event: Event) -> None:
        """Take the next event."""
        self.end = event.t
        if isinstance(event, Run):
            self.nodes = list(event.nodes)
        elif isinstance(event, Phase):
            self.phases.append((event.t, event.name))
        elif isinstance(event, FaultBegin):
            where = ", ".join(map(str, event.nodes))
            span = Span(event.t, float("inf"), event.name, f"nodes {where} {event.detail}".strip())
            self._open[event.id] = span
            self.faults.append(span)
        elif isinstance(event, FaultEnd) and event.id in self._open:
            self._open.pop(event.id).end = event.t
        elif isinstance(event, NodeSample):
            self._on_sample(event)
        elif isinstance(event, (Online, Offline)):
            self._on_client(event)

    def _on_sample(self, event: NodeSample) -> None:
        if event.node not in self.nodes:
            self.nodes.append(event.node)
        if not event.answers:
            name = SILENT
        elif not event.serving:
            name = WAITING
        else:
            name = SERVING if event.state in QUIET_STATES else STANDING_IN
        detail = " ".join(part for part in (
            event.state, f"({event.reason})" if event.reason else "") if part)
        self._last(self.states.setdefault(event.node, []), event.t, name, detail)
        if event.role == "leader" and event.answers and event.term >= self._term:
            self._term = event.term
            self._last(self.leaders, event.t, str(event.node), f"term {event.term}")
        elif self.leaders and self.leaders[-1].name == str(event.node):
            self.leaders[-1].end = min(self.leaders[-1].end, event.t)

    @staticmethod
    def _last(spans: list[Span], t: float, name: str, detail: str) -> None:
        """What is so from t on, until something else is said."""
        if spans and spans[-1].end == float("inf"):
            if (spans[-1].name, spans[-1].detail) == (name, detail):
                return
            spans[-1].end = t
        spans.append(Span(t, float("inf"), name, detail))

    def _on_client(self, event: Online | Offline) -> None:
        if any(name == "end" for _, name in self.phases):
            return  # they leave
        if isinstance(event, Online) and event.how != "resume-failed":
            self._connected.add(event.client)
            self._known.add(event.client)
        else:
            self._connected.discard(event.client)
        self.clients = len(self._known)
        self.online.append((event.t, len(self._connected)))

    def finish(self) -> None:
        """What still lasts lasts to the end."""
        for spans in [self.faults, self.leaders, *self.states.values()]:
            for span in spans:
                span.end = min(span.end, self.end)
        self.nodes.sort()


@dataclass
class Bin:
    """A slice of time: the least number of clients online, and how long messages took that
    arrived in it."""

    begin: float
    online_min: int = 0
    online: float = 0.0        # on average
    latencies_s: list[float] = field(default_factory=list)  # sorted


def bins(timeline: Timeline, latencies: list[tuple[float, float]], width_s: float) -> list[Bin]:
    """Cut the time into slices."""
    count = int(timeline.end / width_s) + 1
    found = [Bin(number * width_s) for number in range(count)]
    _count_online(found, timeline, width_s)
    for t, seconds in latencies:
        found[min(count - 1, int(t / width_s))].latencies_s.append(seconds)
    for one in found:
        one.latencies_s.sort()
    return found


def _count_online(found: list[Bin], timeline: Timeline, width_s: float) -> None:
    steps = timeline.online + [(timeline.end, 0)]
    place, now = 0, 0
    for one in found:
        end = min(one.begin + width_s, timeline.end)
        at, area, least = one.begin, 0.0, now
        while place < len(steps) and steps[place][0] < end:
            area += now * (steps[place][0] - at)
            at, now = steps[place]
            least = min(least, now)
            place += 1
        area += now * (end - at)
        one.online_min = least
        one.online = area / (end - one.begin) if end > one.begin else float(now)
