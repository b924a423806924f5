"""The clients of scenarios: sessions of tests/lib's XMPP client on a real cluster."""

import asyncio
import itertools
import xml.etree.ElementTree as ET

from tests.lib import scenario_play
from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.scenario import Role, Scenario
from tests.lib.scenario_play import TIMEOUT_S, Inbox, Play
from tests.lib.xmpp_client import SM_NS, Client, Settings
from tests.lib.xmpp_stream import StreamError

_numbers = itertools.count(1)


class Session(Client):
    """A client that answers nothing by itself, and may stay away from its session for a while."""

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        super().__init__(settings, inbox.put)
        self._inbox = inbox

    def note(self, name: str, detail: str = "") -> None:
        """Who waits for stanzas of a session that is lost is told why none come."""
        super().note(name, detail)
        if name == "resumed":
            self._inbox.resumed()
        if name == "lost":
            self._inbox.lost = self.lost
            self._inbox.changed()

    def _answer(self, iq: ET.Element) -> None:
        """The scenario does."""

    async def come_back(self) -> None:
        """Resume, after vanish()."""
        await self._resume()
        self._task = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Ack, or what it got would wait for the next session; then the client's footer, and the
        server's, which has ended the session by then."""
        await self._stop()
        assert self.stream is not None
        self.stream.send(f"<a xmlns='{SM_NS}' h='{self._handled}'/></stream:stream>")
        try:
            while True:
                self._handle(await asyncio.wait_for(self.stream.receive(), TIMEOUT_S))
        except StreamError:
            self.stream.abort()


class RealActor:
    """A role of a scenario, on a node while that lives."""

    def __init__(self, company: "Company", role: Role, jid: str, node: int) -> None:
        self.role = role
        self.jid = jid
        self.full = f"{jid}/{role.resource}"
        self.inbox = Inbox(role.name)
        self.connected = False
        self.session: Session | None = None
        self.node = node
        self._company = company

    def node_now(self) -> int | None:
        """Where its session is, with a connection or without."""
        if self.session is None or self.session.address is None:
            return None
        return self._company.cluster.node_at(self.session.address)

    def send(self, stanza: str) -> None:
        """Send."""
        assert self.session is not None
        self.session.send(stanza)

    async def taken(self, timeout_s: float) -> None:
        """Wait until the server has taken all that was sent."""
        assert self.session is not None
        await self.session.all_acked(timeout_s)

    async def connect(self) -> None:
        """A new session, on its node or another one that lives."""
        if self.session is not None:
            await self.session.vanish()
        self.inbox.begin()
        self.session = self._company.session(self.jid, self.node, self.inbox, self.role.resource)
        await self.session.start()
        assert self.session.full_jid == self.full
        self.connected = True

    async def disconnect(self) -> None:
        """End the session."""
        assert self.session is not None
        self.connected = False
        await self.session.end()
        self.session = None

    async def lose(self) -> None:
        """Cut the connection."""
        assert self.session is not None
        self.connected = False
        await self.session.vanish()

    async def resume(self) -> None:
        """Come back."""
        assert self.session is not None
        await self.session.come_back()
        self.connected = True

    async def close(self) -> None:
        """At the end of a scenario."""
        if self.session is not None:
            await self.session.close()


class Company:
    """The clients of one scenario, each on its node."""

    def __init__(self, cluster: TestCluster, scenario: Scenario, nodes: list[int]) -> None:
        """nodes: of the first client, the second and so on, and round again."""
        self.cluster = cluster
        self.scenario = scenario
        self.dead: int | None = None
        self.actors: dict[str, RealActor] = {}
        self._nodes = nodes
        self._jids: dict[str, str] = {}

    def session(self, jid: str, node: int, inbox: Inbox, resource: str | None = None) -> Session:
        """A client that begins with this node, or the next one if this one is dead."""
        addresses = self.cluster.addresses(node)
        if node == self.dead:
            addresses = addresses[1:] + addresses[:1]
        return Session(Settings(jid, PASSWORD, addresses, self.cluster.cluster.ca, resource), inbox)

    def values(self) -> dict[str, str]:
        """What words in braces stand for before anything happened."""
        values = {"server": self.cluster.cluster.domain}
        for name, actor in self.actors.items():
            values |= {f"{name}.jid": actor.jid, f"{name}.full": actor.full}
        return values

    async def gather(self) -> None:
        """New accounts; friends, and everybody as the head of the scenario says, with nothing on
        its way."""
        number = next(_numbers)
        for account in self.scenario.accounts:
            self._jids[account] = await asyncio.to_thread(
                self.cluster.add_user, f"{account.lower()}-{number}-{self.scenario.path.stem}")
        for one, other in self.scenario.friends:
            await self._befriend(self._jids[one], self._jids[other])
        for place, role in enumerate(self.scenario.roles.values()):
            node = self._nodes[place % len(self._nodes)]
            actor = RealActor(self, role, self._jids[role.account], node)
            self.actors[role.name] = actor
            if role.connected:
                await self._enter(actor)
        play = Play(self.scenario, dict(self.actors), self.values())
        for actor in self.actors.values():
            if actor.connected:
                await play.overtake(actor)
        for actor in self.actors.values():
            actor.inbox.stanzas.clear()

    async def _enter(self, actor: RealActor) -> None:
        await actor.connect()
        assert actor.session is not None
        if actor.role.interested:
            await actor.session.get_roster()
        if actor.role.available:
            priority = actor.role.priority
            actor.session.send_presence(
                inner="" if priority is None else f"<priority>{priority}</priority>")
        await actor.taken(TIMEOUT_S)

    async def _befriend(self, one: str, other: str) -> None:
        """Each approves the other in advance, and then asks (RFC 6121 §3.4)."""
        sessions = [self.session(jid, self._nodes[0], Inbox(jid)) for jid in (one, other)]
        for session in sessions:
            await session.start()
        for kind in ("subscribed", "subscribe"):
            for session, contact in zip(sessions, (other, one)):
                session.send_presence(contact, kind)
                await session.all_acked(TIMEOUT_S)
        for session in sessions:
            await session.end()

    async def play(self, between: scenario_play.Between = scenario_play.no_event) -> None:
        """ScenarioFailed: something else happened than it says."""
        await Play(self.scenario, dict(self.actors), self.values(), between).run()

    async def close(self) -> None:
        """Everybody goes."""
        for actor in self.actors.values():
            await actor.close()
