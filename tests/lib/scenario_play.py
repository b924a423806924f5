"""Play a scenario: its clients do what it says, and get what it says, in that order, and no more.

What a client sends is in the log before another one does anything. `receives nothing` sleeps for no
time: every client that is there sends the one in question a marker, and what was on its way must
have come before the markers, for the stanzas of one client keep their order (RFC 6120 §10.1), also
across nodes. So it is looked at the end, too, and before a client goes.

One thing may come that no scenario speaks of: who resumed is shown once more what it had been shown
of presence, for what goes to all contacts is not counted (docs/design.md, section 5). The very
same presence, but for the spelling of the address that it goes to, is passed over then, once; the
end of one has no words then.
"""

import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Protocol

from tests.lib import scenario as s
from tests.lib.scenario_pattern import Mismatch, Pattern, filled, shown
from tests.lib.watched import Watched
from tests.lib.xmpp_client import PRESENCE

TIMEOUT_S = 20.0
Between = Callable[[int], Awaitable[None]]
MARKER_NS = "urn:muster:scenario"
MARKER = f"{{{MARKER_NS}}}marker"


class ScenarioFailed(AssertionError):
    """What happened is not what the scenario says: file, line, step and why."""


class Inbox(Watched):
    """What a client got and the scenario has not spoken of yet; markers stand beside it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.stanzas: deque[ET.Element] = deque()
        self._markers: set[str] = set()
        self._shown: dict[str, str] = {}    # presence by its sender, as it came last
        self._may_repeat: dict[str, str] = {}

    def begin(self) -> None:
        """What comes from now on comes to a new session."""
        self._shown.clear()
        self._may_repeat.clear()

    def resumed(self) -> None:
        """What comes from now on comes behind a resume."""
        self._may_repeat = dict(self._shown)

    def _is_repeated(self, presence: ET.Element) -> bool:
        sender, copy = presence.get("from", ""), deepcopy(presence)
        copy.attrib.pop("to", None)
        is_end = presence.get("type") == "unavailable"
        text = "" if is_end else ET.canonicalize(ET.tostring(copy))
        self._shown[sender] = text
        return self._may_repeat.pop(sender, None) == text

    def put(self, stanza: ET.Element) -> None:
        """The next stanza that came."""
        if stanza.find(MARKER) is not None:
            self._markers.add(stanza.get("id", ""))
        elif stanza.tag != PRESENCE or not self._is_repeated(stanza):
            self.stanzas.append(stanza)
        self.changed()

    async def next(self, timeout_s: float) -> ET.Element:
        """Take the next one. TimeoutError: none comes."""
        await self.wait_until(lambda: bool(self.stanzas), timeout_s, "stanza")
        return self.stanzas.popleft()

    async def passed(self, markers: set[str], timeout_s: float) -> None:
        """Wait until these came."""
        await self.wait_until(lambda: markers <= self._markers, timeout_s, "marker")


class Actor(Protocol):
    """A client in a play."""

    full: str
    inbox: Inbox
    connected: bool

    def send(self, stanza: str) -> None:
        """Send."""

    async def taken(self, timeout_s: float) -> None:
        """Wait until the server has taken all that was sent."""

    async def connect(self) -> None:
        """A new session."""

    async def disconnect(self) -> None:
        """End the session in order, until the server has ended it, too."""

    async def lose(self) -> None:
        """Cut the connection, and stay away."""

    async def resume(self) -> None:
        """Come back to the session of the connection that was cut."""


def _firsts(patterns: list[Pattern]) -> list[Pattern]:
    """Of each sender the first one, and all that name none."""
    senders = [pattern.element.get("from") for pattern in patterns]
    return [pattern for place, (pattern, sender) in enumerate(zip(patterns, senders))
            if sender is None or sender not in senders[:place]]


async def no_event(_index: int) -> None:
    """Nothing happens between the steps."""


class Play:
    """One performance."""

    def __init__(self, scenario: s.Scenario, actors: dict[str, Actor], values: dict[str, str],
                 between: Between = no_event,
                 timeout_s: float = TIMEOUT_S) -> None:
        """values: of addresses. between: called with the index of each step, before it."""
        self._scenario = scenario
        self._actors = actors
        self._values = dict(values)
        self._between = between
        self._timeout_s = timeout_s
        self._markers = 0

    async def run(self) -> None:
        """ScenarioFailed: something else happened."""
        for index, step in enumerate(self._scenario.steps):
            await self._between(index)
            await self._judged(f"{step.line}: {step.who} {step.verb}", self._do(step))
        for name, actor in self._actors.items():
            if actor.connected:
                await self._judged(f"at the end: {name}", self.nothing(actor))

    async def _judged(self, where: str, act: Awaitable[None]) -> None:
        try:
            await act
        except (Mismatch, TimeoutError) as error:
            raise ScenarioFailed(f"{self._scenario.path.name}:{where}: {error}") from None

    async def _do(self, step: s.Step) -> None:
        actor = self._actors[step.who]
        if step.verb in (s.ANY_ORDER, s.EXACTLY_ANY):
            await self._receive_any(actor, list(step.patterns))
        elif step.verb in (s.RECEIVES, s.EXACTLY):
            for pattern in step.patterns:
                await self._receive(actor, pattern)
        elif step.verb == s.NOTHING:
            await self.nothing(actor)
        else:
            await self._act(actor, step)

    async def _act(self, actor: Actor, step: s.Step) -> None:
        for other in self._actors.values():
            if other is not actor and other.connected:
                await other.taken(self._timeout_s)
        if step.verb in (s.DISCONNECTS, s.LOSES):
            await self.nothing(actor)
            await actor.taken(self._timeout_s)
        if step.verb == s.SENDS:
            for text in step.texts:
                actor.send(filled(text, self._values))
        else:
            await {s.CONNECTS: actor.connect, s.DISCONNECTS: actor.disconnect,
                   s.LOSES: actor.lose, s.RESUMES: actor.resume}[step.verb]()

    async def _receive(self, actor: Actor, pattern: Pattern) -> None:
        stanza = await actor.inbox.next(self._timeout_s)
        try:
            self._values = pattern.match(stanza, self._values)
        except Mismatch as error:
            raise Mismatch(f"{error}\n  wanted {pattern.text}\n  got    {shown(stanza)}") from None

    async def _receive_any(self, actor: Actor, patterns: list[Pattern]) -> None:
        """Each stanza takes the first pattern that it is; those of one sender keep their order."""
        while patterns:
            stanza = await actor.inbox.next(self._timeout_s)
            reasons = []
            for pattern in _firsts(patterns):
                try:
                    self._values = pattern.match(stanza, self._values)
                except Mismatch as error:
                    reasons.append(f"\n  not    {pattern.text}: {error}")
                    continue
                patterns.remove(pattern)
                break
            else:
                raise Mismatch(f"another stanza\n  got    {shown(stanza)}{''.join(reasons)}")

    async def nothing(self, actor: Actor) -> None:
        """Mismatch: something came, or comes, before the markers of all."""
        await self.overtake(actor)
        if actor.inbox.stanzas:
            raise Mismatch("more comes\n" + "\n".join(
                f"  got    {shown(stanza)}" for stanza in actor.inbox.stanzas))

    async def overtake(self, actor: Actor) -> None:
        """Until whatever was on its way to the actor has come."""
        markers = set()
        for sender in self._actors.values():
            if sender.connected:
                self._markers += 1
                markers.add(f"marker-{self._markers}")
                sender.send(f"<message to='{actor.full}' type='headline' "
                            f"id='marker-{self._markers}'><marker xmlns='{MARKER_NS}'/></message>")
        await actor.inbox.passed(markers, self._timeout_s)
