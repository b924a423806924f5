"""Chats of uniquely numbered messages, and the exact judgement of what became of them."""

import asyncio
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.lib.xmpp_client import CLIENT_NS, MESSAGE, PRESENCE

BODY = f"{{{CLIENT_NS}}}body"


class ChatClient(Protocol):
    """What a client must be able to do for a chat: our own, or a real one in a harness."""

    jid: str
    full_jid: str
    acked_messages: int
    resent_messages: int
    on_stanza: Callable[[ET.Element], None] | None

    def send_message(self, to: str, body: str) -> None:
        """Send a chat message."""

    def send_presence(self, to: str = "", kind: str = "") -> None:
        """Send presence."""

    async def get_roster(self) -> dict[str, str]:
        """Ask for the roster: contact -> subscription."""

    async def all_acked(self, timeout_s: float) -> None:
        """Wait until the server acknowledged everything."""

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float,
                         what: str = "") -> None:
        """Wait until the condition holds."""


@dataclass
class Judgement:
    """What went wrong; all zero and empty is what a test asks for."""

    sent: int = 0
    acked: int = 0
    resent: int = 0
    received: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    unavailable_seen: int = 0
    errors_seen: int = 0

    def __add__(self, other: "Judgement") -> "Judgement":
        return Judgement(*(getattr(self, name) + getattr(other, name)
                           for name in self.__dataclass_fields__))

    def faults(self) -> int:
        """The number of broken promises."""
        return (self.lost + self.repeated + self.reordered + self.unavailable_seen
                + self.errors_seen)

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {getattr(self, name)}"
                         for name in self.__dataclass_fields__)


def judge_numbers(sent: int, received: list[int]) -> Judgement:
    """Compare the numbers 1..sent with what arrived, in the order of arrival.

    A number that comes again is repeated; one that comes for the first time after a larger one is
    reordered; one that never comes is lost.
    """
    result = Judgement(sent=sent, received=len(received))
    seen: set[int] = set()
    highest = 0
    for number in received:
        if number in seen:
            result.repeated += 1
            continue
        seen.add(number)
        if number < highest:
            result.reordered += 1
        highest = max(highest, number)
    result.lost = sent - len(seen)
    return result


@dataclass
class Side:
    """One client of a chat: what it sent and what it got from the other."""

    client: ChatClient
    peer: str                     # bare address of the other
    sent: int = 0
    received: list[int] = field(default_factory=list)
    unavailable_seen: int = 0
    errors_seen: int = 0

    def on_stanza(self, stanza: ET.Element) -> None:
        """Record what comes from the peer."""
        if stanza.get("from", "").split("/")[0] != self.peer:
            return
        if stanza.get("type") == "error":
            self.errors_seen += 1
        elif stanza.tag == PRESENCE and stanza.get("type") == "unavailable":
            self.unavailable_seen += 1
        elif stanza.tag == MESSAGE:
            body = stanza.findtext(BODY, "")
            if body.startswith("number "):
                self.received.append(int(body.split()[1]))


class Chat:
    """Two clients that send each other numbered messages."""

    def __init__(self, first: ChatClient, second: ChatClient) -> None:
        self.sides = [Side(first, second.jid), Side(second, first.jid)]
        for side in self.sides:
            side.client.on_stanza = side.on_stanza
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, interval_s: float, to_full_jid: bool = False) -> None:
        """Let both sides send, one message an interval, until end()."""
        for side, other in (self.sides, self.sides[::-1]):
            target = other.client.full_jid if to_full_jid else side.peer
            self._tasks.append(asyncio.create_task(_talk(side, target, interval_s)))

    async def end(self, timeout_s: float) -> Judgement:
        """Stop sending, wait until all is acknowledged and arrived or the time is out; judge."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        deadline = time.monotonic() + timeout_s
        for side, other in (self.sides, self.sides[::-1]):
            await _arrival(side, other, deadline)
        return self.judge()

    def judge(self) -> Judgement:
        """Both directions added up."""
        total = Judgement()
        for side, other in (self.sides, self.sides[::-1]):
            one = judge_numbers(side.sent, other.received)
            one.acked = side.client.acked_messages
            one.resent = side.client.resent_messages
            one.unavailable_seen = side.unavailable_seen
            one.errors_seen = side.errors_seen
            total += one
        return total


async def _talk(side: Side, target: str, interval_s: float) -> None:
    next_at = time.monotonic()
    while True:
        side.sent += 1
        side.client.send_message(target, f"number {side.sent}")
        next_at += interval_s
        await asyncio.sleep(max(0.0, next_at - time.monotonic()))


async def _arrival(side: Side, other: Side, deadline: float) -> None:
    """Wait for what side sent to be acknowledged and to reach other; the judge says if it did."""
    try:
        await side.client.all_acked(deadline - time.monotonic())
        await other.client.wait_until(lambda: len(set(other.received)) >= side.sent,
                                      deadline - time.monotonic(), "all messages")
    except TimeoutError:
        return


async def befriend(first: ChatClient, second: ChatClient, timeout_s: float = 10.0) -> None:
    """Subscribe two online clients to each other's presence (RFC 6121 §3).

    Both ask for their roster first: only such a resource is told of changes (§2.1.6).
    """
    for client in (first, second):
        await client.get_roster()
    for one, other in ((first, second), (second, first)):
        asked: list[ET.Element] = []
        granted: list[ET.Element] = []
        _listen(other, "subscribe", asked)
        _listen(one, "subscribed", granted)
        one.send_presence(other.jid, "subscribe")
        await other.wait_until(lambda: bool(asked), timeout_s, "subscribe")
        other.send_presence(one.jid, "subscribed")
        await one.wait_until(lambda: bool(granted), timeout_s, "subscribed")


def _listen(client: ChatClient, kind: str, into: list[ET.Element]) -> None:
    before = client.on_stanza

    def on_stanza(stanza: ET.Element) -> None:
        if stanza.tag == PRESENCE and stanza.get("type") == kind:
            into.append(stanza)
        if before is not None:
            before(stanza)

    client.on_stanza = on_stanza
