"""What all kinds of test clients share: a diary, and waiting for something to become true."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVENTS_SHOWN = 6


@dataclass
class Event:
    """Something in the life of a client, with the time.monotonic() of it."""

    name: str
    detail: str = ""
    at: float = field(default_factory=time.monotonic)


class Watched:
    """A client that notes its events and lets others wait."""

    def __init__(self, jid: str) -> None:
        self.jid = jid  # bare
        self.events: list[Event] = []
        self.lost: Exception | None = None
        self._changed = asyncio.Event()

    def note(self, name: str, detail: str = "") -> None:
        """Write into the diary."""
        self.events.append(Event(name, detail))
        self.changed()

    def changed(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()

    def event_count(self, name: str) -> int:
        """How often something happened."""
        return sum(event.name == name for event in self.events)

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float,
                         what: str = "") -> None:
        """Wait until the condition holds; it is looked at whenever anything happened."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.lost is not None:
                raise self.lost
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(f"{self.jid}: no {what or condition} within {timeout_s:.0f} s; "
                                   f"of late: {self._lately()}")
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), remaining)
            except asyncio.TimeoutError:
                continue

    def _lately(self) -> str:
        """The last events, for whoever reads a failure."""
        now = time.monotonic()
        return "; ".join(f"{now - event.at:.1f} s ago {event.name} {event.detail}"
                         for event in self.events[-EVENTS_SHOWN:])
