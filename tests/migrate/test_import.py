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
from tests.operator.ctl import REFUSED, Said, musterctl

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
        self.cluster.wait_written()

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

    def test_planted(self) -> None:
        """What contacts and strangers can plant on another server: a name that is no address, a
        message that is too large once it is escaped, one larger or deeper than any, and more than a
        user can have. All else of their user comes, in whichever part; only who has too much is
        refused, by name, and those behind it come."""
        contacts = "".join(f"<item jid='c{i}@{DOMAIN}'/>" for i in range(120))
        roster = "<query xmlns='jabber:iq:roster'>{}</query>"
        bodies = (message(1, 1), message(2, 2).replace(">2<", f">{'>' * 1_000_000}<"),
                  message(3, 3).replace(">3<", f">{'x' * 2_000_000}<"),
                  message(4, 4).replace(">4<", f">{'<d>' * 50}{'</d>' * 50}<"), message(5, 5))
        said = self.take(user("alice", roster.format("<item jid='@'/>" + contacts),
                              waiting(bodies)),
                         user("bob", roster.format("<item jid='@'/>" * 20001)),
                         user("carol", roster.format(contacts)))
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn(f"bob@{DOMAIN}: more of one user than can be\n", said.err)
        result = said.json()
        self.assertEqual((3, 2, 1, 0), tuple(result[key] for key in ("users", "made", "refused",
                                                                     "left_out")))
        self.assertEqual((240, 2), (result["contacts"], result["messages"]))
        self.assertEqual({"damaged contacts": 20001,
                          "entries that are too large or too deep": 3}, result["not_taken"])
        dump = self.cluster.ask(1, "user.dump", user=ALICE)
        self.assertEqual(120, len(dump["contacts"]))
        self.assertEqual(["m1", "m5"], [one["id"] for one in dump["messages"]])

    def test_bad_entries(self) -> None:
        """What is no contact, no request and no message is passed over by a node, too."""
        good = {"contacts": {"jid": "c@x"}, "requests": {"jid": "r@x"},
                "messages": {"from": "m@x", "wall_ms": 1}}
        bad = {"contacts": [{}, {"jid": "@"}, {"jid": "d@x", "subscription": "all"},
                            {"jid": "d@x", "groups": [1]}],
               "requests": [{}, {"jid": "d@x", "inner": "<"}],
               "messages": [{}, {"from": "d@x", "inner": "<a></b>"}]}
        said = self.cluster.ask(1, "user.load", user=ALICE, password="secret",
                                **{name: [*bad[name], one] for name, one in good.items()})
        self.assertEqual({"made": 1, "left_out": 0, "known": 0, "bad": 8, "full": False}, said)
        dump = self.cluster.ask(1, "user.dump", user=ALICE)
        self.assertEqual([["c@x"], ["r@x"], ["m@x"]],
                         [[one.get("jid", one.get("from")) for one in dump[name]]
                          for name in good])

    def test_older(self) -> None:
        """A message that is older than the one that another server had: it is counted, and said."""
        self.counts(user("alice", waiting([message(1, 60)])))
        result = self.counts(user("alice", waiting([message(2, 59)])))
        self.assertEqual((1, 1), (result["messages"], result["known"]))
        said = self.take(user("alice", waiting([message(2, 59)])), options=())
        self.assertIn("messages that came before, or are older than such: 1\n", said.out)


if __name__ == "__main__":
    unittest.main()
