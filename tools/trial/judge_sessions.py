"""Sessions: those that stay though nobody has them, and those that are refused to who has them.

ghosts (P5): at the end a node shows a session that is live though its client is not connected; or
    detached without a deadline, with one that passed, or with one further away than its window; or
    two of one full address.
missing (P5): a client is connected and a node does not show its session as live.
not resumed (P3): a client asked within its window for its session and was told that there is none.
    Not when its client has logged in since: that ended the old session, or gave it up. The window
    begins when the last connection that is known to have been confirmed ended: no earlier does
    the cluster's.
"""

from tools.trial.history import Event, FinalSession, Online
from tools.trial.judge_world import Finding, Session, World

PAST_S = 10.0    # a deadline may have passed by so much: expiry comes in batches
SLACK_S = 1.0    # the clocks of the cluster and of the trial, and the time that asking takes


class Sessions:
    """Fed with the history; says which sessions are not as they should be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[Finding] = []
        self.listed = 0
        self._finals: dict[int, dict[str, list[tuple[FinalSession, int]]]] = {}  # node, address

    def on(self, line: int, event: Event) -> None:
        """Take the next event. The world has seen it."""
        if isinstance(event, Online) and event.how == "resume-failed":
            self._check_refusal(line, event)
        elif isinstance(event, FinalSession):
            self.listed += 1
            rows = self._finals.setdefault(event.seen_by, {})
            rows.setdefault(event.jid, []).append((event, line))

    def _find(self, count: str, t: float, text: str, *lines: int) -> None:
        self.findings.append(Finding(count, t, text, [line for line in lines if line]))

    def _check_refusal(self, line: int, event: Online) -> None:
        session = self.world.sessions.get(event.session)
        if session is None or session.failed != event.t or event.t >= session.gone_at():
            return
        self._find("not resumed", event.t, f"{session.jid} was refused its session "
                   f"{event.t - session.away_since():.1f} s after its connection ended, with a "
                   f"window of {session.window_s:.0f} s", session.last().line, line)

    def finish(self) -> None:
        """Compare what the nodes show with who is there."""
        online = {session.jid: session for session in self.world.devices.values()
                  if session.is_open()}
        for node, rows in self._finals.items():
            for jid, events in rows.items():
                self._check_address(node, jid, events, online)
            for jid, session in online.items():
                if not any(event.state == "live" for event, _ in rows.get(jid, [])):
                    self._find("missing", self.world.end, f"node {node} does not show {jid} as "
                               "live, which is online", session.last().line)

    def _check_address(self, node: int, jid: str, events: list[tuple[FinalSession, int]],
                       online: dict[str, Session]) -> None:
        if len(events) > 1:
            self._find("ghosts", events[1][0].t, f"node {node} shows {jid} twice",
                       *[line for _, line in events])
            return
        event, line = events[0]
        if event.state == "live" and event.deadline_s is None:
            wrong = "" if jid in online else "live, and nobody is connected"
        elif event.deadline_s is None:
            wrong = f"{event.state} without a deadline"
        elif event.deadline_s < -PAST_S:
            wrong = f"there {-event.deadline_s:.1f} s past its deadline"
        elif event.deadline_s > self.world.run.resume_window_s + SLACK_S:
            wrong = f"{event.state} for {event.deadline_s:.1f} s more, longer than its window"
        else:
            wrong = ""
        if wrong:
            last = self.world.by_jid.get(jid, [])
            self._find("ghosts", event.t, f"node {node} shows {jid}: {wrong}", line,
                       last[-1].last().line if last else 0)
