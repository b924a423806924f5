"""What became of the messages (P1, P2).

lost: the server acknowledged it, it did not come back as an error, and at the end the account it
    was for has not got it, though it is online; or it went to a full address whose session was
    there all the time, and that session has not got it. The same of what went to the account, and
    any session that was there and shown before: the other devices do not stand for it. When such a
    session ended before the trial did, it must have got what came before the last that it got of
    the same sender's session. A message that was never acknowledged may arrive or not. What may
    still be pending for a detached session of the account (the nodes list them at the end) is not
    judged, and counted apart: it moves on at that session's deadline.
repeated: it came twice to one session, from its login over all resumes. XEP-0198 and DESIGN 5 know
    no exception: what a resume delivers is what the client's own count does not cover. Or it came
    again to a later session of the same device, though the earlier one had acknowledged it: a
    client that threw its session away, or could not resume it, may get again what the server does
    not know it has; but not what it got more than SETTLES_S before something that the server is
    known to have read from the same session, on a connection as old, for by then its
    acknowledgement had been read, too.
    Two devices of an account each get a message; that is no repetition.
reordered: between one session of the sender and one of the recipient a number came for the first
    time after a larger one. Told, but not counted: what another session of the account had pending
    when it ended goes to the sessions that are there (DESIGN 5, "Detached"), with the stamp of
    XEP-0203; newer ones may have come before.
strange: it came to an account that it was not for, or nobody sent it.

A limit of this judge: the end of an account's session makes late stamped messages legal for the
other sessions of that account, whichever message it was.
"""

from dataclasses import dataclass, field

from tools.trial.history import Acked, Bounced, Event, FinalSession, Got, Sent
from tools.trial.judge_world import SETTLES_S, Finding, Session, World

NEVER = float("inf")


def bare(address: str) -> str:
    """An address without its resource."""
    return address.split("/", 1)[0]


@dataclass(slots=True)
class Arrival:
    """A message came to a session."""

    t: float
    line: int
    session: int
    client: str


@dataclass(slots=True)
class Message:
    """What is known of one message."""

    t: float
    line: int
    to: str
    session: int
    acked: int = 0           # line
    served: float = float("inf")  # when it is known to have been: acknowledged, or arrived
    bounced: int = 0         # line
    arrivals: list[Arrival] = field(default_factory=list)


class Messages:
    """Fed with the history; says what became of each message."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.messages: dict[tuple[str, int], Message] = {}
        self.findings: list[Finding] = []
        self.latencies: list[tuple[float, float]] = []        # time of arrival, seconds under way
        self.moved_late = 0
        self.not_judged = 0
        self.unanswered = 0      # neither acknowledged nor come back, nor arrived
        self.bounced = 0
        self._detached: set[str] = set()                      # accounts with such a session
        self._highest: dict[tuple[int, int], tuple[int, int]] = {}  # sessions: number, line

    def on(self, line: int, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, Sent):
            self.messages.setdefault((event.client, event.number),
                                     Message(event.t, line, event.to, event.session))
        elif isinstance(event, Acked):
            for number in event.numbers:
                message = self.messages.get((event.client, number))
                if message is not None and not message.acked:
                    message.acked = line
                    message.served = min(message.served, event.t)
        elif isinstance(event, Bounced):
            message = self.messages.get((event.client, event.number))
            if message is not None:
                message.bounced = line
        elif isinstance(event, Got):
            self._on_got(line, event)
        elif isinstance(event, FinalSession) and event.state != "live":
            self._detached.add(bare(event.jid))

    def _find(self, count: str, t: float, text: str, *lines: int) -> None:
        self.findings.append(Finding(count, t, text, [line for line in lines if line]))

    def _on_got(self, line: int, event: Got) -> None:
        name = f"message {event.number} of {event.sender}"
        message = self.messages.get((event.sender, event.number))
        if message is None:
            self._find("strange", event.t, f"{name}, which nobody sent, came to {event.jid}", line)
            return
        if bare(message.to) != event.account:
            self._find("strange", event.t, f"{name} to {message.to} came to {event.jid}",
                       message.line, line)
            return
        again = self._again(message, event)
        if again is not None:
            self._find("repeated", event.t, f"{name} came to {event.jid} twice", message.line,
                       again.line, line)
        elif not any(old.session == event.session for old in message.arrivals):
            self._check_order(message, line, event)
        if not message.arrivals:
            self.latencies.append((event.t, event.t - message.t))
        message.arrivals.append(Arrival(event.t, line, event.session, event.client))
        message.served = min(message.served, event.t)

    def _again(self, message: Message, event: Got) -> Arrival | None:
        """The arrival after which this one must not have been."""
        for old in message.arrivals:
            if old.session == event.session:
                return old
            session = self.world.sessions.get(old.session)
            if (old.client == event.client and session is not None
                    and session.settled > old.t + SETTLES_S):
                return old
        return None

    def _check_order(self, message: Message, line: int, event: Got) -> None:
        pair = (message.session, event.session)
        highest, highest_line = self._highest.get(pair, (0, 0))
        if event.number > highest:
            self._highest[pair] = (event.number, line)
        elif event.delay and self._was_left(message, event):
            self.moved_late += 1
        else:
            self._find("reordered", event.t, f"message {event.number} of {event.sender} came to "
                       f"{event.jid} after {highest}", message.line, highest_line, line)

    def _was_left(self, message: Message, event: Got) -> bool:
        """May another session of the account have had it pending, and have ended?"""
        return any(other.number != event.session and other.connections[0].end < event.t
                   and other.begin < event.t and self._lasted_past(other, message.t)
                   for other in self.world.by_account.get(event.account, []))

    def _has_gap(self, name: str, number: int, message: Message) -> bool:
        """A session that has a later one and was there has this one, too."""
        for session in self.world.by_account.get(bare(message.to), []):
            later, line = self._highest.get((message.session, session.number), (0, 0))
            if (later > number and not session.is_open() and self._is_for(message, session)
                    and (message.acked or message.arrivals)
                    and all(one.session != session.number for one in message.arrivals)):
                self._find("lost", message.t, f"{name} never came to session {session.number} of "
                           f"{session.jid}, which got {later}", message.line, message.acked, line)
                return True
        return False

    @staticmethod
    def _is_for(message: Message, session: Session) -> bool:
        """Is it for this very session? What goes to the account goes to all that are shown from
        when it was sent until it was served."""
        if message.to == bare(message.to):
            return session.there_since < message.t and message.served < session.there_until
        return message.to == session.jid and session.begin < message.t

    @staticmethod
    def _lasted_past(session: Session, t: float) -> bool:
        return session.over_why != "logout" or session.over > t

    def finish(self) -> None:
        """The history is over."""
        if not self.world.is_complete():
            return
        open_ones = {account: [session for session in sessions if session.is_open()]
                     for account, sessions in self.world.by_account.items()}
        for (client, number), message in self.messages.items():
            self.bounced += bool(message.bounced)
            self.unanswered += not (message.acked or message.bounced or message.arrivals)
            if message.bounced:
                continue
            name = f"message {number} of {client} to {message.to}"
            if not self._has_gap(name, number, message) and message.acked:
                self._check_arrived(name, message, open_ones.get(bare(message.to), []))

    def _check_arrived(self, name: str, message: Message, sessions: list[Session]) -> None:
        """sessions: those of the account that are online at the end."""
        if not any(session.shown[0] >= 0 for session in sessions):
            self.not_judged += not message.arrivals
        elif not message.arrivals and bare(message.to) in self._detached:
            self.not_judged += 1
        elif not message.arrivals:
            self._find("lost", message.t, f"{name} was acknowledged and never came", message.line,
                       message.acked)
        else:
            for session in sessions:
                if (self._is_for(message, session)
                        and all(one.session != session.number for one in message.arrivals)):
                    self._find("lost", message.t, f"{name} never came to that session, which was "
                               "there all the time", message.line, message.acked,
                               session.connections[0].line)
