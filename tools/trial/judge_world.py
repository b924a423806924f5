"""What the judges share: the course of the trial as the history tells it, line by line.

Who was online where and when, which faults were in force, which nodes had no majority within reach,
what a connection is known to have got through.
"""

from dataclasses import dataclass, field

from tools.trial.history import (Acked, Event, FaultBegin, FaultEnd, Got, Members, Offline, Online,
                                 Phase, PresenceSeen, PresenceSet, Run, Sent)

SETTLES_S = 5.0  # clients acknowledge when asked; the server packs acks, one a second a session


@dataclass
class Finding:
    """A broken promise, and the lines of the history that show it."""

    count: str               # which count it belongs to
    t: float
    text: str
    lines: list[int] = field(default_factory=list)


@dataclass
class Fault:
    """One fault; end: infinity while it is in force."""

    begin: FaultBegin
    end: float = float("inf")


@dataclass
class Connection:
    """One connection of a session; end: infinity while it is open."""

    number: int
    node: int
    begin: float
    line: int
    end: float = float("inf")
    confirmed: float = float("inf")  # when something came through it that a mere resume does not do


@dataclass
class Session:
    """A session as its client sees it: from its login over all resumes."""

    number: int
    client: str
    account: str
    jid: str
    window_s: float
    begin: float
    connections: list[Connection] = field(default_factory=list)
    processed: float = -1.0       # what was written up to then the server is known to have read
    settled: float = -1.0         # so, and its connection was SETTLES_S old by then
    shown: tuple[float, int] = (-1.0, 0)  # the last presence: time, and its connection
    shown_proved: float = float("inf")    # when the server is known to have taken that one
    there_since: float = float("inf")     # when the server is known to show it
    there_until: float = float("inf")     # when it said good-bye; never, once it is shown again
    over: float = float("inf")    # when its client ended it or threw it away
    over_why: str = ""            # logout, gave-up, resume-failed, or replaced by a login
    failed: float = float("inf")  # when the client was told that there is nothing to resume

    def last(self) -> Connection:
        """Its newest connection."""
        return self.connections[-1]

    def is_open(self) -> bool:
        """Is its client connected?"""
        return self.last().end == float("inf") and self.over == float("inf")

    def away_since(self) -> float:
        """From when on, at the earliest, its window may run: the end of the last connection that is
        known to have been confirmed. A resume that was not confirmed lets the older deadline run
        on."""
        for connection in reversed(self.connections):
            if connection.confirmed < float("inf"):
                return connection.end
        return self.connections[0].end

    def gone_at(self) -> float:
        """When, at the earliest, the cluster may end it by itself."""
        return self.away_since() + self.window_s


class World:
    """Fed with every event before the judges see it."""

    def __init__(self) -> None:
        self.run = Run(0.0, 0, [])
        self.voters: list[int] = []
        self.members: list[int] = []                   # who should be there at the end
        self.faults: dict[int, Fault] = {}
        self.sessions: dict[int, Session] = {}
        self.devices: dict[str, Session] = {}          # the newest session of each client
        self.by_jid: dict[str, list[Session]] = {}
        self.by_account: dict[str, list[Session]] = {}
        self.phases: dict[str, float] = {}
        self.isolated: dict[int, float] = {}           # node: since when without a majority
        self.end = 0.0
        self._in_force: dict[int, FaultBegin] = {}
        # message: when it was last written, in which session, begin of that connection
        self._written: dict[tuple[str, int], tuple[float, int, float]] = {}

    def is_complete(self) -> bool:
        """Did the trial come to rest? Otherwise what is under way may come still."""
        return "end" in self.phases

    def on(self, line: int, event: Event) -> None:
        """Take the next event."""
        self.end = event.t
        if isinstance(event, Run):
            self.run = event
            self.voters, self.members = event.voters or event.nodes, event.nodes
        elif isinstance(event, Phase):
            self.phases[event.name] = event.t
        elif isinstance(event, (FaultBegin, FaultEnd, Members)):
            self._on_trouble(event)
        elif isinstance(event, (Online, Offline)) and self.is_complete():
            return  # the trial's clients leave; what counts is who was there
        elif isinstance(event, Online):
            self._on_online(line, event)
        elif isinstance(event, Offline):
            self._on_offline(event)
        else:
            self._on_traffic(event)

    # ------------------------------------------------------------ who has a majority

    def _on_trouble(self, event: FaultBegin | FaultEnd | Members) -> None:
        if isinstance(event, FaultBegin):
            self.faults[event.id] = Fault(event)
            self._in_force[event.id] = event
        elif isinstance(event, FaultEnd):
            self._in_force.pop(event.id, None)
            if event.id in self.faults:
                self.faults[event.id].end = event.t
        else:
            self.voters, self.members = event.voters, event.voters + event.standbys
        for node in self.run.nodes:
            if self._is_served(node):
                self.isolated.pop(node, None)
            else:
                self.isolated.setdefault(node, event.t)

    def _reach(self, node: int) -> set[int]:
        """Whom it can talk to, in both directions; itself among them. Nobody when it is down."""
        down = {one for fault in self._in_force.values() for one in fault.down}
        cut = {(one, other) for fault in self._in_force.values() for one, other in fault.cut}
        if node in down:
            return set()
        everybody = set(self.run.nodes) | set(self.voters)
        return {other for other in everybody - down
                if (node, other) not in cut and (other, node) not in cut}

    def _is_served(self, node: int) -> bool:
        """Is there a voter in its reach that could lead a majority? A node that is down serves
        nobody anyhow and is not said to be isolated."""
        reach = self._reach(node)
        if not reach:
            return True
        voters = set(self.voters)
        return any(2 * len(self._reach(leader) & voters) > len(voters)
                   for leader in reach & voters)

    # ------------------------------------------------------------ sessions

    def _on_online(self, line: int, event: Online) -> None:
        old = self.devices.get(event.client)
        session = self.sessions.get(event.session)
        if event.how == "resume-failed":
            if session is not None and session.over == float("inf"):
                session.failed = event.t
                session.over, session.over_why = event.t, event.how
            return
        if session is None:
            if old is not None and old.over == float("inf"):
                old.over, old.over_why = event.t, "replaced"
            session = self._add(event)
        session.connections.append(Connection(event.connection, event.node, event.t, line))
        if event.how == "login":
            session.last().confirmed = event.t

    def _add(self, event: Online) -> Session:
        session = Session(event.session, event.client, event.account, event.jid,
                          self.run.resume_window_s, event.t)
        self.sessions[event.session] = session
        self.devices[event.client] = session
        self.by_jid.setdefault(event.jid, []).append(session)
        self.by_account.setdefault(event.account, []).append(session)
        return session

    def _on_offline(self, event: Offline) -> None:
        session = self.sessions.get(event.session)
        if session is None:
            return
        if session.last().end == float("inf"):
            session.last().end = event.t
        if event.why in ("logout", "gave-up") and session.over == float("inf"):
            session.over, session.over_why = event.t, event.why

    # ------------------------------------------------------------ what came through

    def _on_traffic(self, event: Event) -> None:
        if isinstance(event, Sent):
            session = self.sessions.get(event.session)
            self._written[event.client, event.number] = (
                event.t, event.session, event.t if session is None else session.last().begin)
        elif isinstance(event, PresenceSet) and event.session in self.sessions:
            session = self.sessions[event.session]
            session.shown = (event.t, event.connection) if event.available else (-1.0, 0)
            session.shown_proved = float("inf")
            if not event.available:
                session.there_until = min(session.there_until, event.t)
            elif session.there_until < float("inf"):
                session.there_until = -1.0  # what came meanwhile is anybody's guess
        elif isinstance(event, Acked):
            self._on_acked(event)
        elif isinstance(event, (Got, PresenceSeen)):
            self._confirm(event.session, event.connection, event.t)

    def _confirm(self, session: int, connection: int, t: float) -> None:
        if session in self.sessions and self.sessions[session].last().number == connection:
            last = self.sessions[session].last()
            last.confirmed = min(last.confirmed, t)

    def _on_acked(self, event: Acked) -> None:
        session = self.sessions.get(event.session)
        if session is None:
            return
        for number in event.numbers:
            written, of, begin = self._written.pop((event.client, number), (-1.0, 0, 0.0))
            if of != event.session:
                continue
            session.processed = max(session.processed, written)
            if written > begin + SETTLES_S:
                session.settled = max(session.settled, written)
            if written > session.last().begin:
                self._confirm(event.session, event.connection, event.t)
            if session.shown[0] >= 0 and written >= session.shown[0]:
                session.shown_proved = min(session.shown_proved, event.t)
                session.there_since = min(session.there_since, event.t)
