"""A steady load of everything that clients and operators do, for as long as it is wanted.

Each habit is a task that does one thing again and again at its own pace, with a fixed set of
accounts, so that what a cluster holds of them has a bound. A habit that fails ends the load.
"""

import asyncio
import base64
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tests.lib.cluster import TestCluster
from tests.lib.recorder import Chat, Judgement, befriend
from tests.lib.scram import AuthenticationError
from tests.lib.xmpp_client import MESSAGE, ROSTER_NS, Client, Settings

PAIRS = 4
TALK_INTERVAL_S = 0.1
VISITORS = 3
DESERTERS = 4
SLEEPERS = 2
PASSING = 20                  # accounts that come and go
CONTACTS = 40                 # that an account adds and removes
LETTERS = 10                  # that wait for a sleeper
LONG_BODY = "x" * 20_000
PAUSE_S = 0.5                 # between two rounds of a habit
SLEEP_S = 3.0
WINDOW_S = 10                 # for which the sessions of those are kept who do not come back
EXPIRY_S = WINDOW_S + 2.0
DESERTIONS = 5                # sessions that a deserter leaves behind
ARRIVAL_TIMEOUT_S = 30.0
KEY = {"mechanism": "SCRAM-SHA-256", "iterations": 4096, "salt": base64.b64encode(b"salt").decode(),
       "stored_key": base64.b64encode(bytes(32)).decode(),
       "server_key": base64.b64encode(bytes(32)).decode()}


class Load:
    """begin(), then for as long as is wanted run(), then end()."""

    def __init__(self, cluster: TestCluster, chance: random.Random) -> None:
        self.cluster = cluster
        self.chance = chance
        self.talkers: list[Client] = []    # who is there all the time
        self.rounds: dict[str, int] = {}   # how often each habit did its thing
        self._chats: list[Chat] = []
        self._users: list[str] = []
        self._places = itertools.count()

    @property
    def users(self) -> int:
        """How many accounts have sessions."""
        return len(self._users) + len(self.talkers)

    # ------------------------------------------------------------ life

    async def begin(self) -> None:
        """Make the accounts; let the pairs meet."""
        for number in range(PAIRS):
            romeo, juliet = (self._client(f"{name}{number}") for name in ("romeo", "juliet"))
            for client in (romeo, juliet):
                await client.start()
                client.send_presence()
            await befriend(romeo, juliet)
            self._chats.append(Chat(romeo, juliet))
            self.talkers += [romeo, juliet]
        for name, count in (("visitor", VISITORS), ("deserter", DESERTERS), ("sleeper", SLEEPERS)):
            self._users += [self.cluster.add_user(f"{name}{number}") for number in range(count)]

    async def run(self, duration_s: float) -> None:
        """Live by all habits for so long. Whatever a habit raises comes out."""
        for chat in self._chats:
            chat.begin(TALK_INTERVAL_S)
        tasks = [asyncio.ensure_future(habit) for habit in self.habits()]
        try:
            done, _ = await asyncio.wait(tasks, timeout=duration_s,
                                         return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            await _cancel(tasks)

    def habits(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on meanwhile."""
        habits = [self.habit("presence", self._change_presence),
                  self.habit("resume", self._move),
                  self.habit("roster", self._edit_roster),
                  self.habit("accounts", self._pass_by),
                  self.habit("refused", self._knock),
                  self.habit("long", self._write_at_length)]
        habits += [self.habit("visit", self._visit, user) for user in self._of("visitor")]
        habits += [self.habit("desert", self._desert, user) for user in self._of("deserter")]
        habits += [self.habit("wake", self._wake, user) for user in self._of("sleeper")]
        return habits

    async def end(self) -> Judgement:
        """Stop talking, judge, log out."""
        judgement = Judgement()
        for chat in self._chats:
            judgement += await chat.end(ARRIVAL_TIMEOUT_S)
        for client in self.talkers:
            await client.close()
        return judgement

    # ------------------------------------------------------------ habits

    async def habit(self, name: str, act: Callable[..., Awaitable[None]], *args: str) -> None:
        """Do it again and again, until it is cancelled or raises."""
        self.rounds.setdefault(name, 0)
        while True:
            await act(*args)
            self.rounds[name] += 1
            await asyncio.sleep(PAUSE_S * self.chance.uniform(0.5, 1.5))

    async def _change_presence(self) -> None:
        """A contact sees another show and another status."""
        client = self.chance.choice(self.talkers)
        show = self.chance.choice(["away", "chat", "dnd", "xa"])
        client.send_presence(inner=f"<show>{show}</show><status>{self._word()}</status>")

    async def _move(self) -> None:
        """A connection breaks, the stream is resumed on any node."""
        client = self.chance.choice(self.talkers)
        before = client.event_count("resumed")
        client.move(self.chance.choice(client.settings.addresses))
        await client.wait_until(lambda: client.event_count("resumed") > before,
                                ARRIVAL_TIMEOUT_S, "resumed")

    async def _edit_roster(self) -> None:
        """Contacts come, get names and groups, and go."""
        client = self.chance.choice(self.talkers)
        contact = f"contact{self.chance.randrange(CONTACTS)}@{self.cluster.cluster.domain}"
        await self.set_contact(client, f"<item jid='{contact}' name='{self._word()}'>"
                                       f"<group>{self._word()}</group></item>")
        await self.set_contact(client, f"<item jid='{contact}' subscription='remove'/>")

    async def set_contact(self, client: Client, item: str) -> None:
        """Put an item into a roster, or remove it."""
        await client.request(f"<query xmlns='{ROSTER_NS}'>{item}</query>", "set",
                             timeout_s=ARRIVAL_TIMEOUT_S)

    async def _pass_by(self) -> None:
        """Accounts are made and removed, with letters that nobody read."""
        user = f"passing{self.chance.randrange(PASSING)}@{self.cluster.cluster.domain}"
        node = self.chance.choice(self.cluster.ids)
        await asyncio.to_thread(self.cluster.ask, node, "user.import",
                                rows=[{"jid": user, "keys": [KEY]}])
        self.chance.choice(self.talkers).send_message(user, self._word())
        await asyncio.to_thread(self.cluster.ask, node, "user.remove", user=user)

    async def _knock(self) -> None:
        """A wrong password, and a name that nobody has."""
        name = self.chance.choice([self.talkers[0].user, f"nobody-{self._word()}"])
        client = Client(Settings(f"{name}@{self.cluster.cluster.domain}", "wrong",
                                 self.cluster.addresses(self._next_node()),
                                 self.cluster.cluster.ca))
        try:
            await client.start()
        except AuthenticationError:
            return
        raise AssertionError(f"{name} came in by a wrong password")

    async def _write_at_length(self) -> None:
        """A long stanza, from one who talks to one who does."""
        one, other = self.chance.sample(self.talkers, 2)
        one.send_message(other.jid, LONG_BODY)

    async def _visit(self, user: str) -> None:
        """Log in as one more resource, look around, say something, log out."""
        client = self._client_of(user, resource=f"r-{self._word()}" if self._odd() else None)
        await client.start()
        client.send_presence()
        await client.get_roster()
        client.send_presence(to=self.chance.choice(self.talkers).jid)
        client.send_message(self.chance.choice(self.talkers).jid, self._word())
        client.send_message(f"nobody-{self._word()}@{client.domain}", self._word())
        await client.all_acked(ARRIVAL_TIMEOUT_S)
        await client.close()

    async def _desert(self, user: str) -> None:
        """Log in and never come back, a few times: each session expires, and what waits in it goes
        to the next one, and from the last to offline storage, where it is read."""
        for _ in range(DESERTIONS):
            client = self._client_of(user, resource=f"r-{self._word()}" if self._odd() else None,
                                     window_s=WINDOW_S)
            await client.start()
            client.send_presence()
            await client.get_roster()
            await client.vanish()
            self.chance.choice(self.talkers).send_message(client.full_jid, self._word())
            await asyncio.sleep(PAUSE_S)
        await asyncio.sleep(EXPIRY_S)
        await self._read(user, DESERTIONS)

    async def _wake(self, user: str) -> None:
        """Letters wait until the user comes online."""
        for _ in range(LETTERS):
            self.chance.choice(self.talkers).send_message(user, self._word())
        await asyncio.sleep(SLEEP_S)
        await self._read(user, LETTERS)

    async def _read(self, user: str, count: int) -> None:
        """Log in, take what waits, log out."""
        got: list[str] = []
        client = self._client_of(user, acks=self._odd())
        client.on_stanza = lambda stanza: got.append(stanza.tag)
        await client.start()
        client.send_presence()
        await client.wait_until(lambda: sum(tag == MESSAGE for tag in got) >= count,
                                ARRIVAL_TIMEOUT_S, "all letters")
        await client.close()

    # ------------------------------------------------------------ means

    def _client(self, name: str) -> Client:
        return self._client_of(self.cluster.add_user(name))

    def _client_of(self, user: str, **settings: Any) -> Client:
        return self.cluster.client(user, self._next_node(), direct=self._odd(), **settings)

    def _of(self, name: str) -> list[str]:
        return [user for user in self._users if user.startswith(name)]

    def _next_node(self) -> int:
        return self.cluster.ids[next(self._places) % len(self.cluster.ids)]

    def _odd(self) -> bool:
        return self.chance.random() < 0.5

    def _word(self) -> str:
        return f"{self.chance.getrandbits(48):x}"


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    """wait_for() of Python 3.11 may swallow it: then once more."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.1)
