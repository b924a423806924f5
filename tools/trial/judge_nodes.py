"""What the nodes did, whatever their clients saw of it (P6, P7, P8).

minority service: a node had been without a majority within its reach for longer than its lease
    when a client wrote something to it, or began to log in, and it answered before that changed:
    it acknowledged, delivered, let in, or said that an operation was done. Both ends of each are
    acts of the trial's own process, so its delays cannot make an alarm. A node is without a
    majority when no voter that it reaches in both directions, itself among them, reaches a majority
    of voters in both directions; nodes that are killed or stopped reach nobody.
two leaders: two nodes said within the trial that they lead the same term.
hashes: two nodes had different state hashes at the same index, at the end.
not healed: at the end a node does not serve, has an alarm, or is not where the others are.
"""

from tools.trial.history import Acked, Event, FinalNode, Got, NodeSample, Online, Operation, Sent
from tools.trial.judge_world import Finding, World

WRITES = ("roster-set", "roster-remove", "roster-get", "assign")


class Nodes:
    """Fed with the history; says which node did what it must not."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[Finding] = []
        self.hashes_compared = 0
        self._sent: dict[tuple[str, int], tuple[float, int]] = {}   # message: last time, line
        self._invoked: dict[int, tuple[float, int]] = {}            # operation: time, line
        self._leaders: dict[int, tuple[int, int]] = {}              # term: node, line
        self._hashes: dict[int, tuple[str, int, int]] = {}          # index: hash, node, line
        self._finals: dict[int, tuple[FinalNode, int]] = {}

    def on(self, line: int, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, Sent):
            self._sent[event.client, event.number] = (event.t, line)
        elif isinstance(event, Acked):
            for number in event.numbers:
                self._check_service(event.node, event.t, line, "acknowledged a message",
                                    self._sent.get((event.client, number)))
        elif isinstance(event, Got):
            self._check_service(event.node, event.t, line, "delivered a message",
                                self._sent.get((event.sender, event.number)))
        elif isinstance(event, Online) and event.began >= 0 and event.how != "resume-failed":
            self._check_service(event.node, event.t, line, f"accepted a {event.how}",
                                (event.began, 0))
        elif isinstance(event, Operation):
            self._on_operation(line, event)
        elif isinstance(event, NodeSample):
            self._on_sample(line, event)
        elif isinstance(event, FinalNode):
            self._finals[event.node] = (event, line)
            self._compare(event.applied, event.hash, event.node, event.t, line)

    def _find(self, count: str, t: float, text: str, *lines: int) -> None:
        self.findings.append(Finding(count, t, text, [line for line in lines if line]))

    # ------------------------------------------------------------ who serves

    def _check_service(self, node: int, t: float, line: int, what: str,
                       asked: tuple[float, int] | None) -> None:
        since = self.world.isolated.get(node)
        if since is None or asked is None or asked[0] <= since + self.world.run.lease_s:
            return
        faults = [fault.begin for fault in self.world.faults.values() if fault.end > t]
        self._find("minority service", t, f"node {node} {what} {t - since:.3f} s after it lost "
                   f"the majority ({', '.join(fault.name for fault in faults)})",
                   asked[1], line)

    def _on_operation(self, line: int, event: Operation) -> None:
        if event.phase == "invoke":
            self._invoked[event.id] = (event.t, line)
            return
        invoked = self._invoked.pop(event.id, None)
        if event.phase == "ok" and event.f in WRITES:
            self._check_service(event.node, event.t, line, f"answered {event.f}", invoked)

    # ------------------------------------------------------------ who leads, what they have

    def _on_sample(self, line: int, event: NodeSample) -> None:
        if event.answers and event.role == "leader":
            other, other_line = self._leaders.setdefault(event.term, (event.node, line))
            if other != event.node:
                self._find("two leaders", event.t, f"nodes {other} and {event.node} lead term "
                           f"{event.term}", other_line, line)

    def _compare(self, index: int, value: str, node: int, t: float, line: int) -> None:
        known, other, other_line = self._hashes.setdefault(index, (value, node, line))
        if known != value:
            self._find("hashes", t, f"at index {index} nodes {other} and {node} have the hashes "
                       f"{known} and {value}", other_line, line)
        elif other != node:
            self.hashes_compared += 1

    def finish(self) -> None:
        """All nodes are well at the end."""
        if not self.world.is_complete():
            return
        newest = max((final.applied for final, _ in self._finals.values()), default=0)
        for node in sorted(set(self.world.members) | set(self._finals)):
            final, line = self._finals.get(node, (None, 0))
            if final is None:
                self._find("not healed", self.world.end, f"node {node} said nothing at the end")
            elif not final.serving:
                self._find("not healed", final.t, f"node {node} does not serve", line)
            elif final.alarms:
                self._find("not healed", final.t, f"node {node}: {final.alarms}", line)
            elif final.applied != newest:
                self._find("not healed", final.t, f"node {node} has applied {final.applied}, "
                           f"others {newest}", line)
