"""An ejabberd installation moves here, by its export."""

import asyncio
import unittest

from tests.migrate.moved import PASSWORDS, TEXTS, MovedTest
from tests.migrate.servers import Ejabberd


class FromEjabberd(MovedTest):
    """ejabberd 23.01 of Debian."""

    async def test_move(self) -> None:
        """Users with contacts, groups, a pending request, offline messages; exported by
        export_piefxis into files that include each other, imported twice. Passwords are
        SCRAM-SHA-256 keys, whose base64 is in base64 again."""
        server = Ejabberd()
        self.addCleanup(server.close)
        await asyncio.to_thread(server.run)
        for name, password in PASSWORDS.items():
            await asyncio.to_thread(server.add_user, name, password)
        await self.live(server)
        files = await asyncio.to_thread(server.export)
        taken = await asyncio.to_thread(self.take, files)
        self.assertEqual({"users": 3, "contacts": 3, "requests": 1, "kept": 2,
                          "messages": len(TEXTS), "refused": 0, "left_out": 0, "known": 0,
                          "not_taken": {}},
                         {key: value for key, value in taken.items() if key != "made"})
        await self.expect_people("SCRAM-SHA-256", len(TEXTS))


if __name__ == "__main__":
    unittest.main()
