"""What contacts saw of presence (P4), each client's own acts against what others were told.

flaps: a contact was told "unavailable" of a full address
    - whose client had neither said good-bye nor been away for its window; an end by the window is
      counted from the last connection that was confirmed (DESIGN 5: "CONFIRM, not RESUME, clears
      the deadline"), and none happened when the session was resumed afterwards, or a new session
      of the address became available before;
    - or a second time for one end. Told, but not counted: an "unavailable" that is told again
      after the contact's own resume: it repeats what was not acknowledged (DESIGN 5, "Resume").
backwards: a device was told an older status of an address after a newer one. As the statuses of a
    device ascend and one device writes those of an address, this is sequential consistency of the
    register that a presence is: every reader sees the writes in their order, none before it began.
    More is not promised: presence is told by each node when it applied it (DESIGN 6).
stale: at the end, when all is quiet, the last that a connected contact was told is not the last
    that the client said, or is "available" though all sessions of the address are gone.

The judge takes who once saw whom for contacts, and rosters that let each other see presence as
lasting: trials edit only items of addresses that nobody has.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

from tools.trial.history import Event, Offline, Online, PresenceSeen, PresenceSet
from tools.trial.judge_messages import bare
from tools.trial.judge_world import Finding, Session, World

SETTLES_S = 60.0  # after a deadline: expiry comes in batches, and its time stands without a leader


@dataclass
class End:
    """A reason for one "unavailable": since when it holds."""

    t: float
    session: int
    last_seen: float        # what was said after that is of a later life of the address
    by_window: bool = False


@dataclass
class View:
    """What one session was told of one full address."""

    available: bool = False
    status: int = 0
    line: int = 0
    connection: int = 0
    session: int = 0        # of the device that was told
    said_at: float = -1.0   # when the newest status that it was told was said
    ends_used: list[End] = field(default_factory=list)


@dataclass
class Said:
    """What the client of a full address said last; statuses: all, and when."""

    line: int = 0
    connection: int = 0
    available: bool = False
    statuses: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    goodbyes: list[End] = field(default_factory=list)

    def status(self) -> int:
        """The newest."""
        return self.statuses[-1] if self.statuses else 0

    def when(self, status: int) -> float:
        """When it was first said."""
        place = bisect_left(self.statuses, status)
        return self.times[place] if place < len(self.times) else -1.0


class Presences:
    """Fed with the history; says who was told something wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[Finding] = []
        self.told_again = 0
        self._said: dict[str, Said] = {}                          # full address
        self._views: dict[str, dict[str, View]] = {}              # full address, device
        self._statuses: dict[tuple[str, str], tuple[int, int]] = {}  # device, full address
        self._contacts: set[tuple[str, str]] = set()              # bare addresses: who sees whom

    def on(self, line: int, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, PresenceSet):
            self._on_set(line, event)
        elif isinstance(event, PresenceSeen):
            self._on_seen(line, event)
        elif isinstance(event, Online) and event.how == "resume":
            self._on_resume(line, event)
        elif (isinstance(event, Offline) and event.why == "logout"
                and event.session in self.world.sessions):
            self._say_goodbye(self.world.sessions[event.session].jid, event.t, event.session)

    def _on_set(self, line: int, event: PresenceSet) -> None:
        said = self._said.setdefault(event.jid, Said())
        if not event.available:
            self._say_goodbye(event.jid, event.t, event.session)
            return
        said.line, said.connection, said.available = line, event.connection, True
        if event.status > said.status():
            said.statuses.append(event.status)
            said.times.append(event.t)

    def _say_goodbye(self, jid: str, t: float, session: int) -> None:
        said = self._said.get(jid)
        if said is not None and said.available:
            said.available = False
            said.goodbyes.append(End(t, session, t))

    def _find(self, count: str, t: float, text: str, *lines: int) -> None:
        self.findings.append(Finding(count, t, text, [line for line in lines if line]))

    # ------------------------------------------------------------ what is told

    def _on_seen(self, line: int, event: PresenceSeen) -> None:
        watcher = self.world.sessions.get(event.session)
        if watcher is None or event.source == watcher.jid or "/" not in event.source:
            return
        self._contacts.add((watcher.account, bare(event.source)))
        views = self._views.setdefault(event.source, {})
        view = views.get(event.client)
        if view is None or view.session != event.session:
            view = views[event.client] = View(session=event.session)
        if event.available:
            self._check_status(line, event, view)
        else:
            self._check_end(line, event, view, watcher)
        view.available, view.status, view.line = event.available, event.status, line
        view.connection = event.connection

    def _check_status(self, line: int, event: PresenceSeen, view: View) -> None:
        pair = (event.client, event.source)
        newest, newest_line = self._statuses.get(pair, (0, 0))
        said = self._said.get(event.source, Said())
        if event.status and event.status < newest:
            self._find("backwards", event.t, f"{event.client} was told status {event.status} of "
                       f"{event.source} after {newest}", newest_line, line)
        elif event.status > said.status():
            self._find("backwards", event.t, f"{event.client} was told status {event.status} of "
                       f"{event.source}, which its client had not set", line)
            return
        if event.status >= newest:
            self._statuses[pair] = (event.status, line)
        if said.when(event.status) > view.said_at:
            view.said_at = said.when(event.status)
            view.ends_used = [end for end in view.ends_used if end.last_seen >= view.said_at]

    def _check_end(self, line: int, event: PresenceSeen, view: View, watcher: Session) -> None:
        used = {(end.t, end.session) for end in view.ends_used}
        ends = [end for end in self._possible_ends(event, view.said_at)
                if (end.t, end.session) not in used and self._may_be_told(end, watcher)]
        if ends:
            view.ends_used.append(min(ends, key=lambda end: end.t))
        elif view.line and not view.available and view.connection != event.connection:
            self.told_again += 1
        else:
            second = view.line and not view.available
            self._find("flaps", event.t, f"{event.client} was told that {event.source} is "
                       "unavailable" + (", a second time for one end" if second else
                                        f", {self._why_not(event)}"),
                       *self._story(event.source), view.line, line)

    def _may_be_told(self, end: End, watcher: Session) -> bool:
        """Is it not long over when the watcher logs in? A good-bye may have got lost; then the
        window ends the session."""
        window_s = 0.0 if end.by_window else self.world.sessions[end.session].window_s
        return end.t + window_s + SETTLES_S > watcher.begin

    def _possible_ends(self, event: PresenceSeen, said_at: float) -> list[End]:
        """Why the address may be gone by now, though it was there at said_at."""
        ends = []
        for end in reversed(self._said.get(event.source, Said()).goodbyes):
            if end.last_seen < said_at:
                break
            ends.append(end)
        shown_again = float("inf")
        for session in reversed(self.world.by_jid.get(event.source, [])):
            if session.away_since() < said_at:
                break
            gone = session.gone_at()
            if session.over_why != "logout" and gone <= min(event.t, shown_again):
                ends.append(End(gone, session.number, session.away_since(), by_window=True))
            shown_again = min(shown_again, session.shown_proved)
        return ends

    def _story(self, jid: str) -> list[int]:
        """Where the sessions of an address last came online."""
        return [session.last().line for session in self.world.by_jid.get(jid, [])[-2:]]

    def _why_not(self, event: PresenceSeen) -> str:
        sessions = self.world.by_jid.get(event.source, [])
        if not sessions:
            return "which nobody had"
        session = sessions[-1]
        if session.is_open():
            return "which is online"
        return (f"{event.t - session.away_since():.1f} s after its connection ended, "
                f"with a window of {session.window_s:.0f} s")

    def _on_resume(self, line: int, event: Online) -> None:
        """A session that was resumed had not ended: whoever was told so was told wrong."""
        for view in self._views.get(event.jid, {}).values():
            for end in view.ends_used:
                if end.by_window and end.session == event.session:
                    self._find("flaps", event.t, f"{event.jid} was said to be unavailable, then "
                               "resumed", view.line, line)
                    end.by_window = False

    # ------------------------------------------------------------ the end

    def finish(self) -> None:
        """What is told is what is so. Only where a trial came to rest."""
        if not self.world.is_complete():
            return
        for watcher in self.world.devices.values():
            if not watcher.is_open() or watcher.shown[0] < 0:
                continue
            for jid, sessions in self.world.by_jid.items():
                if jid != watcher.jid and (watcher.account, bare(jid)) in self._contacts:
                    self._check_last(watcher, jid, sessions)

    def _check_last(self, watcher: Session, jid: str, sessions: list[Session]) -> None:
        view = self._views.get(jid, {}).get(watcher.client, View())
        if view.session != watcher.number:
            view = View()
        said = self._said.get(jid, Said())
        newest = sessions[-1]
        end = self.world.phases["end"]
        if newest.is_open():
            taken = (newest.last().number == said.connection
                     or newest.shown_proved < float("inf"))
            if said.available and taken and not (view.available
                                                 and view.status == said.status()):
                told = f"status {view.status}" if view.available else "nothing"
                self._find("stale", end, f"at the end {watcher.client} has {told} of {jid}, "
                           f"which said {said.status()}", said.line, view.line)
        elif view.available and all(
                session.over_why == "logout" or session.gone_at() + SETTLES_S < end
                for session in sessions):
            self._find("stale", end, f"at the end {watcher.client} has {jid} as available, "
                       "which is gone", self._story(jid)[-1], view.line)
