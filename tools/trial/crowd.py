"""The users of a trial: who knows whom, and what each device does all day.

Accounts come in circles whose members have each other as contacts. Every account has a device, some
have two. A device sends numbered messages to its contacts, sets its status, edits items of the
account's roster, as its other device does, loses its connection and resumes, logs out and in, and
now and then throws its session away. Whatever happens to its node, it goes on at another. Some of
the second devices are slixmpp clients, which only send messages and presence.
"""

import asyncio
import random
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from xml.sax.saxutils import quoteattr

from tests.lib.scram import AuthenticationError
from tests.lib.xmpp_client import ROSTER_NS, RequestFailed, SessionLost, Settings
from tests.lib.xmpp_stream import Address, StreamError
from tools.local.layout import Cluster
from tools.trial.diary import ITEM, Device
from tools.trial.history import Operation
from tools.trial.record import Record
from tools.trial.session import Session
from tools.trial.slix import SlixSession

CIRCLE = 4                 # accounts that know each other
DEVICES_EVERY = 3          # one account in so many has two devices
SLIXMPP = "slixmpp"        # the resource of such a device
SLIXMPP_EVERY = 2          # among second devices
KEYS = 3                   # roster items that the devices of an account edit
BURST, BURST_ODDS = 15, 0.05  # messages at once, and how often
SILENCE_S = 2.0
RETRY_PAUSE_S = 0.2
LOGIN_TIMEOUT_S = 9.0
RESUME_DEADLINE_S = 3600.0  # the server says first that the session is gone
ARRIVAL_TIMEOUT_S = 60.0
ACK_POLITE_S = 2.0
AWAY_S = 3.0
KEY_PREFIX = "key"
ENDS = (StreamError, SessionLost, AuthenticationError, OSError, asyncio.TimeoutError)


@dataclass
class Plan:
    """How busy the crowd is."""

    clients: int
    password: str
    think_s: float         # mean time between two acts of a device


@dataclass
class Person:
    """An account, and whom it knows."""

    account: str
    contacts: list["Person"] = field(default_factory=list)
    devices: list["Actor"] = field(default_factory=list)


class Crowd:
    """All of them."""

    def __init__(self, cluster: Cluster, record: Record, seed: int, plan: Plan) -> None:
        self.record = record
        self.plan = plan
        self.people = _people(cluster.domain, plan.clients)
        self.actors: list[Actor] = []
        self._tasks: list[asyncio.Task[None]] = []
        for place, (person, resource) in enumerate(_devices(self.people, plan.clients)):
            chance = random.Random(f"{seed} device {place}")
            kind = SlixActor if resource == SLIXMPP else Actor
            actor = kind(person, resource, place, cluster, record, plan, chance)
            person.devices.append(actor)
            self.actors.append(actor)

    def accounts(self) -> list[str]:
        """Their addresses."""
        return [person.account for person in self.people]

    async def arrive(self) -> None:
        """All log in and get to know their contacts."""
        await asyncio.gather(*(actor.log_in() for actor in self.actors))
        for person in self.people:
            person.devices[0].befriend()
        deadline = asyncio.get_running_loop().time() + ARRIVAL_TIMEOUT_S
        for person in self.people:
            await person.devices[0].until_befriended(deadline)

    def act(self) -> None:
        """From now on each does what it does."""
        self._tasks = [asyncio.create_task(actor.live()) for actor in self.actors]

    async def rest(self) -> None:
        """No further act; all come online, and stay there."""
        for actor in self.actors:
            actor.is_resting = True
        await asyncio.gather(*self._tasks)

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything that was sent is acknowledged."""
        await asyncio.gather(*(actor.drain(timeout_s) for actor in self.actors))

    async def leave(self) -> None:
        """All go, without a word: what they have is still to be seen in the cluster."""
        await asyncio.gather(*(actor.session.vanish() for actor in self.actors
                               if actor.session is not None))

    def problems(self) -> list[str]:
        """What clients could not do, or not get, and faults of the harness itself."""
        return [f"{actor.device.name}: {error!r}" for actor in self.actors
                for error in actor.errors]


def _people(domain: str, clients: int) -> list[Person]:
    """So many that with their second devices they are the wanted number."""
    count = max(2, clients * DEVICES_EVERY // (DEVICES_EVERY + 1))
    people = [Person(f"user{number}@{domain}") for number in range(count)]
    for begin in range(0, count, CIRCLE):
        circle = people[begin:begin + CIRCLE]
        if len(circle) == 1:
            circle = people[begin - 1:begin + 1]
        for one in circle:
            one.contacts += [other for other in circle
                             if other is not one and other not in one.contacts]
    return people


def _devices(people: list[Person], clients: int) -> list[tuple[Person, str]]:
    """Every account has a desk; what is left are second devices of some."""
    seconds = people[::DEVICES_EVERY][:max(0, clients - len(people))]
    return ([(person, "desk") for person in people]
            + [(person, SLIXMPP if place % SLIXMPP_EVERY == 0 else "phone")
               for place, person in enumerate(seconds)])


class Actor:
    """A device and what it does."""

    def __init__(self, person: Person, resource: str, place: int, cluster: Cluster,
                 record: Record, plan: Plan, chance: random.Random) -> None:
        self.person = person
        self.cluster = cluster
        self.record = record
        self.plan = plan
        self.chance = chance
        self.device = Device(f"c{place}", person.account, resource)
        self.session: Session | SlixSession | None = None
        self.errors: list[Exception] = []
        self.is_resting = False
        self._place = place
        self._values = 0
        self._operation: asyncio.Task[None] | None = None  # one at a time
        self._generation = 0   # of roster keys: one whose fate is unknown is edited no more
        self._acts = [(60, self._say), (10, self._show), (14, self._edit), (6, self._read),
                      (5, self._drop), (2, self._log_out), (2, self._give_up)]

    # ------------------------------------------------------------ sessions

    def _settings(self) -> Settings:
        serving = [node for node in self.cluster.nodes if not node.witness]
        turn = self._place % len(serving)
        direct = bool(self._place % 2)
        service = "c2s_tls" if direct else "c2s"
        addresses = [Address(node.host, node.ports[service], direct)
                     for node in serving[turn:] + serving[:turn]]
        self._place += 1
        self.device.nodes = {(node.host, node.ports[service]): node.id for node in serving}
        return Settings(self.device.account, self.plan.password, addresses, self.cluster.ca,
                        resource=self.device.resource, silence_s=SILENCE_S,
                        resume_deadline_s=RESUME_DEADLINE_S, retry_pause_s=RETRY_PAUSE_S)

    async def log_in(self) -> None:
        """At whatever node takes us."""
        while True:
            session = self._new_session()
            try:
                await asyncio.wait_for(session.start(), LOGIN_TIMEOUT_S)
                await session.get_roster()  # or it is not told of changes (RFC 6121 §2.1.6)
                break
            except ENDS as error:
                await session.fail(repr(error))
                await asyncio.sleep(self.chance.uniform(RETRY_PAUSE_S, 2 * RETRY_PAUSE_S))
        self.session = session
        session.show()

    def _new_session(self) -> Session | SlixSession:
        return Session(self.device, self.record, self._settings())

    def is_shown(self) -> bool:
        """Whether its contacts have a reason to write to this very device (RFC 6121 §5.1)."""
        return self.session is not None and not self.session.is_over

    def befriend(self) -> None:
        """Ask all contacts for their presence."""
        assert self.session is not None
        for contact in self.person.contacts:
            self.session.send_presence(contact.account, "subscribe")

    async def until_befriended(self, deadline: float) -> None:
        """Wait until all of them may see us and we them."""
        assert self.session is not None
        wanted = {contact.account for contact in self.person.contacts}
        while True:
            roster = await self.session.get_roster()
            if wanted <= {jid for jid, state in roster.items() if state == "both"}:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{self.device.account} has no contacts: {roster}")
            await asyncio.sleep(RETRY_PAUSE_S)

    # ------------------------------------------------------------ a life

    async def live(self) -> None:
        """One act after the other, until it is told to rest; then be online."""
        weights = [weight for weight, _ in self._acts]
        while not self.is_resting:
            await asyncio.sleep(self.chance.expovariate(1 / self.plan.think_s))
            act = self.chance.choices(self._acts, weights)[0][1]
            try:
                await self._ensure_session()
                await act()
            except ENDS:
                continue
            except Exception as error:  # a fault of the harness: told at the end
                self.errors.append(error)
                return
        await self._ensure_session()

    async def _ensure_session(self) -> None:
        if self.session is None or self.session.is_over:
            await self.log_in()

    async def drain(self, timeout_s: float) -> None:
        """Everything we sent is acknowledged; a session that was lost meanwhile is another one."""
        await self._ensure_session()
        assert self.session is not None
        try:
            if self._operation is not None:
                await asyncio.wait_for(self._operation, timeout_s)
            await self.session.all_acked(timeout_s)
        except ENDS as error:
            self.errors.append(error)

    async def _say(self) -> None:
        assert self.session is not None
        contact = self.chance.choice(self.person.contacts)
        target = self.chance.choice(contact.devices)
        to = (target.device.full_jid if target.is_shown() and self.chance.random() < 0.3
              else contact.account)
        for _ in range(BURST if self.chance.random() < BURST_ODDS else 1):
            self.session.say(to)

    async def _show(self) -> None:
        assert self.session is not None
        self.session.show()

    async def _drop(self) -> None:
        if self.session is not None and self.session.can_write():
            self.session.drop()

    async def _log_out(self) -> None:
        assert self.session is not None
        if not self.session.can_write():
            return
        try:
            await self.session.all_acked(ACK_POLITE_S)
        except ENDS:
            return
        if self.session.can_write():
            assert isinstance(self.session, Session)
            await self.session.log_out()
            await asyncio.sleep(self.chance.uniform(0, AWAY_S))

    async def _give_up(self) -> None:
        assert isinstance(self.session, Session)
        await self.session.give_up()
        await asyncio.sleep(self.chance.uniform(0, AWAY_S))

    # ------------------------------------------------------------ rosters

    async def _edit(self) -> None:
        if self._operation is not None and not self._operation.done():
            return
        key = f"{KEY_PREFIX}{self.chance.randrange(KEYS)}.{self._generation}"
        contact = f"{key}@{self.cluster.domain}"
        removes = self.chance.random() < 0.25
        self._values += 1
        name = None if removes else f"{self.device.name}v{self._values}"
        inner = (f"<item jid={quoteattr(contact)} subscription='remove'/>" if removes else
                 f"<item jid={quoteattr(contact)} name={quoteattr(name or '')}/>")
        self._operation = asyncio.create_task(self._operate(
            "roster-remove" if removes else "roster-set", f"{self.device.account} {contact}", name,
            inner, "set"))

    async def _read(self) -> None:
        if self._operation is None or self._operation.done():
            self._operation = asyncio.create_task(
                self._operate("roster-get", self.device.account, None, "", "get"))

    async def _operate(self, name: str, key: str, value: object, inner: str, kind: str) -> None:
        """An operation, from its begin to its answer, however long that takes; only when the
        session ends before is its fate unknown."""
        session = self.session
        assert isinstance(session, Session)
        operation = partial(Operation, id=next(self.record.operations), client=self.device.name,
                            f=name, key=key)
        session.diary.operation(operation(self.record.now(), phase="invoke", value=value))
        try:
            answer = await session.request(f"<query xmlns='{ROSTER_NS}'>{inner}</query>", kind,
                                           timeout_s=RESUME_DEADLINE_S)
        except RequestFailed as error:
            outcome = operation(self.record.now(), phase="fail", value=value, detail=str(error))
        except ENDS as error:
            outcome = operation(self.record.now(), phase="unknown", value=value,
                                detail=repr(error))
            self._generation += kind == "set"
        else:
            outcome = operation(self.record.now(), phase="ok",
                                value=_keys(answer) if kind == "get" else value)
        session.diary.operation(outcome)


class SlixActor(Actor):
    """A device with slixmpp."""

    def __init__(self, *rest: Any) -> None:
        super().__init__(*rest)
        self._acts = [(60, self._say), (10, self._show), (5, self._drop)]

    def _new_session(self) -> SlixSession:
        return SlixSession(self.device, self.record, self._settings())


def _keys(roster: ET.Element) -> dict[str, str]:
    """The items that devices edit."""
    return {item.get("jid", ""): item.get("name", "") for item in roster.iter(ITEM)
            if item.get("jid", "").startswith(KEY_PREFIX)}
