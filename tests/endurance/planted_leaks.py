"""A soak finds what does not level off, and takes nothing else for it.

Method: tests/soak with nodes that lose memory or files (tests/lib/leak), and with a client that
leaves rows.
"""

import asyncio
import os
import random
import unittest
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.endurance.load import Load
from tests.endurance.soak import Outcome, soak
from tools.local.main import find_program

MINUTES = 1.5
SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))
LIBRARY = "tests/libleak.so"
CONTACTS = 4                  # a round


class Hoarder(Load):
    """A user who never removes a contact."""

    def habits(self) -> list[Coroutine[Any, Any, None]]:
        """One more."""
        return [*super().habits(), self.habit("hoard", self._hoard)]

    async def _hoard(self) -> None:
        number = self.rounds["hoard"]
        for contact in range(CONTACTS):
            jid = f"hoarded{number}-{contact}@{self.cluster.cluster.domain}"
            await self.set_contact(self.talkers[0], f"<item jid='{jid}'/>")


class Planted(unittest.IsolatedAsyncioTestCase):
    """Three nodes."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients

    async def _leaking(self, what: str) -> Outcome:
        library = Path(find_program("musterd")).parents[1] / LIBRARY
        return await soak(MINUTES, 3, SEED, f"env LD_PRELOAD={library} LEAK={what}")

    async def test_memory(self) -> None:
        """64 KiB a connection."""
        outcome = await self._leaking("memory")
        self.assertEqual([f"n{node} memory" for node in (1, 2, 3)], outcome.growing)

    async def test_files(self) -> None:
        """A file a connection."""
        outcome = await self._leaking("files")
        self.assertEqual([f"n{node} files" for node in (1, 2, 3)], outcome.growing)

    async def test_rows(self) -> None:
        """Contacts without end."""
        outcome = await soak(MINUTES, 3, SEED, make_load=Hoarder)
        self.assertEqual(["rows roster_item"], outcome.growing)


if __name__ == "__main__":
    unittest.main()
