"""A Prosody installation moves here, by the files that its migrator makes."""

import asyncio
import unittest

from tests.migrate.moved import PASSWORDS, MovedTest
from tests.migrate.servers import Prosody


class FromProsody(MovedTest):
    """Prosody 0.12 of Debian."""

    async def test_move(self) -> None:
        """Users with contacts, groups, a pending request; exported by prosody-migrator, imported
        twice. Passwords are SCRAM-SHA-1 keys. Its export has no offline messages: the driver of
        XEP-0227 that Prosody has knows no such store."""
        server = Prosody()
        self.addCleanup(server.close)
        for name, password in PASSWORDS.items():
            server.add_user(name, password)
        await asyncio.to_thread(server.run)
        await self.live(server)
        files = await asyncio.to_thread(server.export)
        taken = await asyncio.to_thread(self.take, files)
        self.assertEqual({"users": 3, "contacts": 3, "requests": 1, "kept": 2,
                          "messages": 0, "refused": 0, "left_out": 0, "known": 0, "not_taken": {}},
                         {key: value for key, value in taken.items() if key != "made"})
        await self.expect_people("SCRAM-SHA-1", 0)


if __name__ == "__main__":
    unittest.main()
