"""Where everything is written down: the history, and a line now and then on the terminal."""

import itertools
import time
from pathlib import Path

from tools.trial.history import Event, Phase, Writer


class Record:
    """One clock and one file for all that is seen and done."""

    def __init__(self, path: Path, quiet: bool = False) -> None:
        self._writer = Writer(path)
        self._begin = time.monotonic()
        self._quiet = quiet
        self.sessions = itertools.count(1)
        self.connections = itertools.count(1)
        self.operations = itertools.count(1)
        self.counts: dict[str, int] = {}

    def now(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self._begin

    def write(self, event: Event) -> None:
        """Append an event."""
        self._writer.append(event)
        self.counts[event.kind] = self.counts.get(event.kind, 0) + 1

    def phase(self, name: str) -> None:
        """A part of the trial begins."""
        self.write(Phase(self.now(), name))
        self.say(f"phase {name}")

    def say(self, text: str) -> None:
        """For those who watch."""
        if not self._quiet:
            print(f"{self.now():8.1f} s  {text}", flush=True)

    def close(self) -> None:
        """The history ends."""
        self._writer.close()
