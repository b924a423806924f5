"""Histories as a cluster without a fault would give them: the ground on which tests plant one.

A Story writes single events by hand. tell() makes a long one: clients of an ideal server talk, lose
their connections, resume, give up, log out and in, edit rosters, while nodes are killed and cut
off.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tools.trial import history
from tools.trial.history import Event

STEP_S = 0.01
WINDOW_S = 60.0
LEASE_S = 1.0
NODES = [1, 2, 3]


@dataclass
class Teller:
    """A client of a story; pending: what its session has to get still."""

    name: str
    account: str
    jid: str
    node: int = 1
    session: int = 0
    connection: int = 0
    online: bool = False
    alive: bool = False                 # there is a session that could be resumed
    status: int = 0
    pending: list[tuple[str, int, str]] = field(default_factory=list)
    pushes: list[tuple[str, str | None]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)      # full address: status, 0: gone


class Story:
    """Events, one after the other; time passes with each."""

    def __init__(self) -> None:
        self.t = 0.0
        self.events: list[Event] = []
        self.clients: dict[str, Teller] = {}
        self._numbers: dict[str, int] = {}
        self._ids = 0
        self.add(history.Run(0.0, 7, NODES, lease_s=LEASE_S, resume_window_s=WINDOW_S))

    def next_id(self) -> int:
        """A number that nothing else has."""
        self._ids += 1
        return self._ids

    def add(self, event: Event) -> int:
        """Append an event at the time it says; returns its line."""
        self.t = event.t
        self.events.append(event)
        return len(self.events)

    def now(self) -> float:
        """The time of the next event."""
        self.t = round(self.t + STEP_S, 6)
        return self.t

    def sleep(self, seconds: float) -> None:
        """Nothing happens."""
        self.t += seconds

    def client(self, name: str, node: int = 1, resource: str = "desk") -> Teller:
        """A device, online: "romeo" or, for a second one, "romeo2" with the same account."""
        account = f"{name.rstrip('0123456789')}@a.test"
        one = self.clients[name] = Teller(name, account, f"{account}/{resource}", node)
        self.online(one)
        self.show(one)
        return one

    def online(self, one: Teller, how: str = "login", node: int = 0) -> int:
        """It logs in or resumes."""
        one.node = node or one.node
        began = self.now()
        one.connection = self.next_id()
        one.session = self.next_id() if how == "login" else one.session
        if how != "resume-failed":
            one.online = one.alive = True
        if how == "login":
            one.seen = {}
        return self.add(history.Online(self.now(), one.name, one.account, one.jid, one.node, how,
                                       one.session, one.connection, began))

    def offline(self, one: Teller, why: str = "drop") -> int:
        """Its connection ends."""
        one.online = False
        one.alive = why not in ("logout", "gave-up")
        return self.add(history.Offline(self.now(), one.name, one.session, one.connection, why))

    def sent(self, one: Teller, to: str) -> int:
        """It writes a message; returns the number."""
        number = self._numbers[one.name] = self._numbers.get(one.name, 0) + 1
        self.add(history.Sent(self.now(), one.name, one.account, to, number, one.node,
                              one.session, one.connection))
        return number

    def acked(self, one: Teller, *numbers: int) -> int:
        """The server has them."""
        return self.add(history.Acked(self.now(), one.name, list(numbers), one.node, one.session,
                                      one.connection))

    def got(self, one: Teller, sender: str, number: int, delay: str = "") -> int:
        """It gets a message."""
        return self.add(history.Got(self.now(), one.name, one.account, one.jid, sender, number,
                                    one.node, one.session, one.connection, delay=delay))

    def show(self, one: Teller, available: bool = True) -> int:
        """It sets its status, or says good-bye."""
        one.status += available
        return self.add(history.PresenceSet(self.now(), one.name, one.jid, one.status, one.node,
                                            one.session, one.connection, available))

    def seen(self, one: Teller, source: str, status: int) -> int:
        """It is told a status, or with 0 that the address is unavailable."""
        one.seen[source] = status
        return self.add(history.PresenceSeen(self.now(), one.name, source, one.node, one.session,
                                             one.connection, status > 0, status))

    def chat(self, one: Teller, other: Teller) -> None:
        """A message, as it should be."""
        number = self.sent(one, other.account)
        self.acked(one, number)
        self.got(other, one.name, number)

    def operation(self, one: Teller, what: str, key: str, value: object = None,
                  answer: object = None, phase: str = "ok", detail: str = "") -> int:
        """An operation and its answer; returns the line of that."""
        number = self.next_id()
        self.add(history.Operation(self.now(), number, one.name, what, key, "invoke", value,
                                   one.node, one.session, one.connection))
        return self.add(history.Operation(self.now(), number, one.name, what, key, phase,
                                          answer if answer is not None else value, one.node,
                                          one.session, one.connection, detail))

    def fault(self, name: str, nodes: list[int], down: list[int] | None = None,
              cut: list[list[int]] | None = None) -> int:
        """One begins; returns its id."""
        number = self.next_id()
        self.add(history.FaultBegin(self.now(), number, name, nodes, down or [], cut or []))
        return number

    def fault_end(self, number: int) -> None:
        """It is taken away."""
        self.add(history.FaultEnd(self.now(), number))

    def end(self) -> None:
        """All comes to rest; the nodes say what they have."""
        for phase in ("heal", "quiet", "end"):
            self.add(history.Phase(self.now(), phase))
        for node in NODES:
            self.add(history.FinalNode(self.now(), node, 1000, "abc"))
            for one in self.clients.values():
                if one.alive:
                    self.add(history.FinalSession(
                        self.now(), node, one.jid, "live" if one.online else "detached", one.node,
                        None if one.online else WINDOW_S / 2))


class Ideal:
    """A server that keeps every promise, and what its clients do by chance."""

    def __init__(self, seed: int, people: int = 4) -> None:
        self.story = Story()
        self.chance = random.Random(seed)
        self.rosters: dict[str, dict[str, str]] = {}
        self.stored: dict[str, list[tuple[str, int]]] = {}     # offline storage
        self.down: set[int] = set()
        self._fault = (0, "")
        self.story.add(history.Phase(self.story.now(), "load"))
        for number in range(people):
            self.arrive(f"{chr(97 + number)}", "desk")
        self.arrive("a2", "phone")

    def arrive(self, name: str, resource: str) -> None:
        """A client logs in for the first time."""
        one = self.story.client(name, self.some_node(), resource)
        self.told_all(one)
        self.tell(one)

    def some_node(self) -> int:
        """One that serves."""
        return self.chance.choice([node for node in NODES if node not in self.down])

    def others(self, one: Teller) -> list[Teller]:
        """Everybody else."""
        return [other for other in self.story.clients.values() if other is not one]

    def told_all(self, one: Teller) -> None:
        """What a new or resumed session has to be told of presence."""
        for other in self.others(one):
            status = other.status if other.alive else 0
            if other.jid in one.seen and one.seen[other.jid] != status or (
                    other.jid not in one.seen and status):
                self.story.seen(one, other.jid, status)

    def tell(self, one: Teller, gone: bool = False) -> None:
        """All who are online are told of this one."""
        for other in self.others(one):
            if other.online:
                self.story.seen(other, one.jid, 0 if gone else one.status)

    # ------------------------------------------------------------ what clients do

    def message(self, one: Teller) -> None:
        """To the bare address, or to a full one."""
        other = self.chance.choice(self.others(one))
        full = self.chance.random() < 0.3
        number = self.story.sent(one, other.jid if full else other.account)
        self.story.acked(one, number)
        targets = [target for target in self.story.clients.values()
                   if target.account == other.account and target.alive
                   and (not full or target is other)]
        if not targets:
            targets = [target for target in self.story.clients.values()
                       if target.account == other.account and target.alive]
        for target in targets:
            if target.online:
                self.story.got(target, one.name, number)
            else:
                target.pending.append((one.name, number, ""))
        if not targets:
            self.stored.setdefault(other.account, []).append((one.name, number))

    def status(self, one: Teller) -> None:
        """A new status."""
        self.story.show(one)
        self.tell(one)

    def edit(self, one: Teller) -> None:
        """A roster item is set or removed; all devices of the account are told."""
        contact = f"x{self.chance.randrange(3)}@b.test"
        roster = self.rosters.setdefault(one.account, {})
        key = f"{one.account} {contact}"
        if self.chance.random() < 0.3:
            if contact not in roster:
                self.story.operation(one, "roster-remove", key, phase="fail",
                                     detail="item-not-found")
                return
            del roster[contact]
            self.story.operation(one, "roster-remove", key)
        else:
            roster[contact] = f"n{self.story.next_id()}"
            self.story.operation(one, "roster-set", key, roster[contact])
        for device in self.story.clients.values():
            if device.account == one.account and device.alive:
                device.pushes.append((contact, roster.get(contact)))
                if device.online:
                    self._push(device)

    def _push(self, device: Teller) -> None:
        for contact, name in device.pushes:
            self.story.add(history.RosterPush(
                self.story.now(), device.name, device.account, contact, device.node,
                device.session, device.connection, name))
        device.pushes = []

    def ask(self, one: Teller) -> None:
        """The whole roster."""
        self.story.operation(one, "roster-get", one.account,
                             answer=dict(self.rosters.get(one.account, {})))

    def drop(self, one: Teller, why: str = "drop") -> None:
        """The connection ends."""
        self.story.offline(one, why)

    def resume(self, one: Teller) -> None:
        """It comes back, at any node."""
        self.story.online(one, "resume", self.some_node())
        self._deliver(one)
        self._push(one)
        self.told_all(one)

    def _deliver(self, one: Teller) -> None:
        for sender, number, delay in one.pending:
            self.story.got(one, sender, number, delay)
        one.pending = []

    def give_up(self, one: Teller) -> None:
        """It throws its session away and comes with the same address: that inherits."""
        self.story.offline(one, "gave-up")
        self.story.online(one, "login", self.some_node())
        one.pushes = []
        one.pending = [(sender, number, "late") for sender, number, _ in one.pending]
        self._deliver(one)
        self.story.show(one)
        self.told_all(one)
        self.tell(one)

    def leave(self, one: Teller) -> None:
        """It logs out."""
        self.story.show(one, available=False)
        self.story.offline(one, "logout")
        self.tell(one, gone=True)

    def come(self, one: Teller) -> None:
        """It logs in again; what waited comes."""
        self.story.online(one, "login", self.some_node())
        self.story.show(one)
        for sender, number in self.stored.pop(one.account, []):
            self.story.got(one, sender, number, "late")
        self.told_all(one)
        self.tell(one)

    def trouble(self) -> None:
        """A node is killed or cut off, or comes back; its clients go elsewhere."""
        if self.down:
            self.story.fault_end(self._fault[0])
            self.down = set()
            return
        node = self.chance.choice(NODES)
        self.down = {node}
        rest = [other for other in NODES if other != node]
        name = self.chance.choice(["kill", "cut"])
        self._fault = (self.story.fault(
            name, [node], [node] if name == "kill" else [],
            [] if name == "kill" else [[node, other] for other in rest]), name)
        for one in self.story.clients.values():
            if one.online and one.node == node:
                self.drop(one, "node")

    # ------------------------------------------------------------ the whole

    def step(self) -> None:
        """Something happens."""
        one = self.chance.choice(list(self.story.clients.values()))
        self.story.sleep(self.chance.random() * 0.3)
        if not one.alive:
            self.come(one)
        elif not one.online:
            self.resume(one)
        else:
            acts: list[Callable[[Teller], None]] = [
                self.message, self.status, self.edit, self.ask, self.drop, self.give_up, self.leave]
            self.chance.choices(acts, [60, 10, 15, 10, 8, 2, 2])[0](one)
        if self.chance.random() < 0.02:
            self.trouble()

    def finish(self) -> None:
        """All come online and rest."""
        if self.down:
            self.trouble()
        for one in self.story.clients.values():
            if not one.alive:
                self.come(one)
            elif not one.online:
                self.resume(one)
        self.story.end()


def tell(seed: int, steps: int) -> Story:
    """A long history without a fault of the cluster."""
    ideal = Ideal(seed)
    for _ in range(steps):
        ideal.step()
    ideal.finish()
    return ideal.story
