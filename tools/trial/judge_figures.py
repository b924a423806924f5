"""Figures of a trial that are no promise: how long messages took, how long clients were offline,
how soon after a fault began a message that was sent since arrived."""

from dataclasses import dataclass, field

from tools.trial.history import Acked, Event, FaultBegin, Got, Offline, Online, Sent

PERCENTILES = (50, 90, 99, 99.9, 100)


def percentile(ordered: list[float], percent: float) -> float:
    """Of a sorted list; 0 when it is empty."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass
class Recovery:
    """After one fault."""

    name: str
    begin: float
    first_s: float           # from the fault's begin to the first arrival of what was sent since


@dataclass
class Figures:
    """Fed with the history."""

    events: int = 0
    sent: int = 0
    acked: int = 0
    got: int = 0
    logins: int = 0
    resumes: int = 0
    offline_s: dict[str, float] = field(default_factory=dict)      # client: in sum
    longest_s: dict[str, float] = field(default_factory=dict)      # client: at a time
    recoveries: list[Recovery] = field(default_factory=list)
    waiting: list[FaultBegin] = field(default_factory=list)        # for a first arrival
    _sent: dict[tuple[str, int], float] = field(default_factory=dict)
    _away: dict[str, float] = field(default_factory=dict)          # client: since when

    def on(self, _line: int, event: Event) -> None:
        """Take the next event."""
        self.events += 1
        if isinstance(event, Sent) and not event.again:
            self.sent += 1
            self._sent[event.client, event.number] = event.t
        elif isinstance(event, Acked):
            self.acked += len(event.numbers)
        elif isinstance(event, Got):
            self.got += 1
            self._on_got(event)
        elif isinstance(event, FaultBegin):
            self.waiting.append(event)
        elif isinstance(event, Offline):
            if event.why not in ("logout", "gave-up"):
                self._away.setdefault(event.client, event.t)
        elif isinstance(event, Online):
            self._on_online(event)

    def _on_got(self, event: Got) -> None:
        sent = self._sent.pop((event.sender, event.number), None)
        if sent is None:
            return
        for fault in [fault for fault in self.waiting if fault.t <= sent]:
            self.recoveries.append(Recovery(fault.name, fault.t, event.t - fault.t))
            self.waiting.remove(fault)

    def _on_online(self, event: Online) -> None:
        self.logins += event.how == "login"
        self.resumes += event.how == "resume"
        since = self._away.pop(event.client, None)
        if since is not None and event.how != "resume-failed":
            away = event.t - since
            self.offline_s[event.client] = self.offline_s.get(event.client, 0.0) + away
            self.longest_s[event.client] = max(self.longest_s.get(event.client, 0.0), away)
        elif since is not None:
            self._away[event.client] = since
