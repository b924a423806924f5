"""Files of XEP-0227 that a server may write and a cluster has to cope with."""

import asyncio
import tempfile
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.lib.cluster import TestCluster
from tests.migrate.restored import Inbox, until_acked
from tests.migrate.servers import DOMAIN
from tests.operator.ctl import Said, musterctl

ROOM = 500  # messages that wait for a user
MESSAGES = ROOM + 250  # the last parts have no room at all
ALICE = f"alice@{DOMAIN}"


def message(number: int, seconds: int) -> str:
    """One that waits, so many seconds after an hour."""
    return (f"<message xmlns='jabber:client' from='bob@{DOMAIN}' id='m{number}'>"
            f"<body>{number}</body><delay xmlns='urn:xmpp:delay' from='{DOMAIN}' "
            f"stamp='2026-11-30T12:{seconds // 60:02}:{seconds % 60:02}Z'/></message>")


def user(name: str, *parts: str) -> str:
    """One who has a password, and these parts."""
    return f"<user name='{name}' password='secret'>{''.join(parts)}</user>\n"


def waiting(messages: Iterable[str]) -> str:
    """A part: these messages."""
    return f"<offline-messages>{''.join(messages)}</offline-messages>"


class Import(unittest.IsolatedAsyncioTestCase):
    """A cluster, and files."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients
        scratch = tempfile.TemporaryDirectory(prefix="muster-import-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.cluster = TestCluster("--nodes", "1")
        self.addCleanup(self.cluster.close)

    def take(self, *users: str, options: Iterable[str] = ("--json",)) -> Said:
        """Import a file with these users."""
        path = self.folder / "users.xml"
        path.write_text(f"<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'>\n"
                        f"{''.join(users)}</host></server-data>\n")
        return musterctl("--cluster", str(self.cluster.folder), "user", "import-xml", str(path),
                         *options)

    def counts(self, *users: str) -> dict[str, Any]:
        """What a file came to that is taken."""
        said = self.take(*users)
        self.assertEqual(0, said.code, said)
        result: dict[str, Any] = said.json()
        return result

    async def test_no_room(self) -> None:
        """More messages than may wait: the first ones are there, all others are counted, whether
        they were sent or not. Once the user has read, the same file brings the rest, in order."""
        whole = user("alice", waiting(message(i, i) for i in range(MESSAGES)))
        for known in (0, ROOM):
            result = await asyncio.to_thread(self.counts, whole)
            self.assertEqual((MESSAGES, MESSAGES - ROOM, known),
                             (result["messages"], result["left_out"], result["known"]))
        await self._read(range(ROOM))
        result = await asyncio.to_thread(self.counts, whole)
        self.assertEqual((0, ROOM), (result["left_out"], result["known"]))
        await self._read(range(ROOM, MESSAGES))

    async def _read(self, numbers: range) -> None:
        client = self.cluster.client(ALICE, 1)
        client.settings.password = "secret"
        inbox = Inbox(client)
        found = await inbox.get(len(numbers))
        self.assertEqual([str(i) for i in numbers], [text for _, text, _, _ in found])
        await until_acked(self.cluster, 1, client.full_jid)
        await client.close()

    def test_older(self) -> None:
        """A message that is older than the one that another server had: it is counted, and said."""
        self.counts(user("alice", waiting([message(1, 60)])))
        result = self.counts(user("alice", waiting([message(2, 59)])))
        self.assertEqual((1, 1), (result["messages"], result["known"]))
        said = self.take(user("alice", waiting([message(2, 59)])), options=())
        self.assertIn("messages that came before, or are older than such: 1\n", said.out)


if __name__ == "__main__":
    unittest.main()
