"""Backups: made while clients chat, checked, and restored into a cluster of other machines."""

import asyncio
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.lib.cluster import TestCluster
from tests.lib.recorder import Chat, befriend
from tests.lib.xmpp_client import ROSTER_NS, Client
from tests.migrate.restored import Inbox, RestoredTest, told
from tests.operator.ctl import REFUSED, Said, musterctl
from tools.local.main import find_program

MESSAGES = 20
FLIPS = 60
ASKERS_GONE = 5
FILE_BYTES_MAX = 4096
MESSAGE_INTERVAL_S = 0.05
Told = list[tuple[str, str, str, str]]
Roster = dict[str, tuple[str, str, tuple[str, ...]]]


async def roster_of(client: Client) -> Roster:
    """Contact -> name, subscription, groups."""
    answer = await client.request(f"<query xmlns='{ROSTER_NS}'/>")
    return {item.get("jid", ""): (item.get("name", ""), item.get("subscription", ""),
                                  tuple(sorted(group.text or "" for group in item)))
            for item in answer.iter(f"{{{ROSTER_NS}}}item")}


class BackupTest(RestoredTest):
    """A cluster with a history, and a folder for its backups."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients
        self.cluster = TestCluster("--nodes", "3")
        self.addCleanup(self.cluster.close)
        self.scratch = Path(tempfile.mkdtemp(prefix="muster-backup-"))
        self.addCleanup(shutil.rmtree, self.scratch)

    def ctl(self, *words: str) -> Said:
        """musterctl for the cluster that is backed up."""
        return musterctl("--cluster", str(self.cluster.folder), *words)

    def create(self, node: int, name: str) -> Path:
        """A backup of a node."""
        path = self.scratch / name
        self.ok(self.ctl("--node", str(node), "backup", "create", "--out", str(path)))
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        self.assertFalse(path.with_name(name + ".tmp").exists())
        return path

    async def old_client(self, jid: str, node: int) -> Client:
        """A client in the cluster that is backed up."""
        client = self.cluster.client(jid, node)
        await client.start()
        return client


class Restore(BackupTest, unittest.IsolatedAsyncioTestCase):
    """What comes back."""

    async def _live(self) -> None:
        """Contacts in groups; messages for a user who is away, and for one whose connection broke;
        all of it acknowledged."""
        self.users = {name: self.cluster.add_user(name)
                      for name in ("alice", "bob", "carol", "dave")}
        alice, bob, dave = [await self.old_client(self.users[name], node)
                            for name, node in (("alice", 1), ("bob", 2), ("dave", 3))]
        for client in (alice, bob, dave):
            client.send_presence()
        await befriend(alice, bob)
        await alice.request(
            f"<query xmlns='{ROSTER_NS}'><item jid='{self.users['bob']}' name='Bob &amp; co'>"
            "<group>Work</group><group>Fri\u00ebnds</group></item></query>", "set")
        alice.send_presence(self.users["carol"], "subscribe")
        await dave.vanish()
        for number in range(MESSAGES):
            for name in ("carol", "dave"):
                alice.send_message(self.users[name], f"{name} {number}")
        await alice.all_acked()
        self.rosters = {client.jid: await roster_of(client) for client in (alice, bob)}
        for client in (alice, bob):
            await client.close()

    async def _load(self) -> Chat:
        pair = [await self.old_client(self.cluster.add_user(name), node)
                for name, node in (("romeo", 1), ("juliet", 2))]
        for client in pair:
            client.send_presence()
        await befriend(*pair)
        chat = Chat(*pair)
        chat.begin(MESSAGE_INTERVAL_S)
        return chat

    async def test_under_load(self) -> None:
        """Three nodes with clients that chat. Each node makes a backup meanwhile, and the chat
        loses nothing. Two clusters go on from there: the old one, and a new one of three machines
        that the backup is restored into. In both, all can log in, rosters and offline messages are
        the same, with the same ids and stamps; what waited for a session that was cut off waits
        for its user. Positions go on, and all nodes are equal."""
        await self._live()
        chat = await self._load()
        backups = [await asyncio.to_thread(self.create, node, f"b{node}") for node in (1, 2, 3)]
        judgement = await chat.end(20.0)
        self.assertEqual(0, judgement.faults(), judgement)
        for backup in backups:
            said = musterctl("backup", "verify", str(backup), "--json")
            self.assertEqual(0, said.code, said)
            self.assertEqual([self.cluster.cluster.domain], said.json()["domains"])
        old = Inbox(self.cluster.client(self.users["carol"], 1))
        old_told = await old.get(MESSAGES)
        await old.client.close()

        await asyncio.to_thread(self.restore, backups[2])
        for number in (2, 3):
            await asyncio.to_thread(self.join, number)
        await self._judge(old_told)
        await asyncio.to_thread(self.wait_equal)
        for machine in self.machines:
            self.assertEqual(0, machine.stop(), machine.log())
            machine.process = None
        await asyncio.to_thread(self.machines[0].run)
        for machine in self.machines[1:]:
            await asyncio.to_thread(machine.start)
        await asyncio.to_thread(self.wait_equal)

    async def _judge(self, old: Told) -> None:
        """Users of the new cluster find what they had in the old one."""
        for name in ("romeo", "juliet"):
            client = self.login(f"{name}@{self.cluster.cluster.domain}", 2)
            await client.start()
            await client.close()
        for node, jid in enumerate(self.rosters, 1):
            client = self.login(jid, node)
            await client.start()
            self.assertEqual(self.rosters[jid], await roster_of(client))
            await client.close()
        found: dict[str, Told] = {}
        for node, name in enumerate(("carol", "dave"), 2):
            inbox = Inbox(self.login(self.users[name], node))
            found[name] = await inbox.get(MESSAGES)
            await inbox.client.close()
        self.assertEqual(old, found["carol"])
        self.assertEqual([f"dave {number}" for number in range(MESSAGES)],
                         [item[1] for item in found["dave"]])
        self.assertTrue(all(stamp for *_, stamp in found["dave"]), found)
        await self._expect_next(max(int(item[2]) for told in found.values() for item in told))

    async def _expect_next(self, last: int) -> None:
        """A message that comes now is behind all that there was."""
        alice, bob = self.login(self.users["alice"], 1), Inbox(self.login(self.users["bob"], 2))
        await bob.get(0)
        await alice.start()
        alice.send_message(self.users["bob"], "after")
        await alice.all_acked()
        await bob.client.wait_until(lambda: bool(bob.messages), 10.0, "a message")
        self.assertGreater(int(told(bob.messages[0])[2]), last)
        for client in (alice, bob.client):
            await client.close()


class Refusals(BackupTest, unittest.IsolatedAsyncioTestCase):
    """What is no backup, and what cannot be one."""

    async def test_damage(self) -> None:
        """One bit of a backup is other than it was, anywhere: verify says so, and restore refuses
        and leaves nothing behind. So with one that is cut off, and with what never was one."""
        self.cluster.add_user("a")
        backup = await asyncio.to_thread(self.create, 1, "good")
        good = backup.read_bytes()
        chance = random.Random(20)
        end = len(good)
        of_footer = (1, 32, 33, 40, 48, 52, 56, 57, 64, 65, 90)
        places = [0, 40, 4096, *(end - back for back in of_footer),
                  *(chance.randrange(end) for _ in range(FLIPS))]
        for place in places:
            bad = bytearray(good)
            bad[place] ^= 1 << chance.randrange(8)
            self._expect_refused(bytes(bad), f"byte {place} of {end}")
        for size in (0, 1, 63, 64, 4096, end - 1):
            self._expect_refused(good[:size], f"{size} bytes of {end}")
        self._expect_refused(b"{}" * 5000, "text")

    def _expect_refused(self, content: bytes, what: str) -> None:
        path = self.scratch / "bad"
        path.write_bytes(content)
        said = musterctl("backup", "verify", str(path))
        self.assertEqual(REFUSED, said.code, (what, said))
        self.assertIn("bad: ", said.err, what)
        first = self.machines[0]
        self.refused(first.setup("cluster", "restore", str(path), first.link), "bad: ")
        self.assertFalse(first.data.exists() or first.conf.exists(), what)

    async def test_places(self) -> None:
        """Nothing that is there is overwritten: no file by a backup, no data and no configuration
        by a restore. A file that cannot be written whole leaves nothing. Without a majority there
        is no backup: it might be from long ago."""
        self.cluster.add_user("a")
        backup = await asyncio.to_thread(self.create, 2, "good")
        self.refused(self.ctl("backup", "create", "--out", str(backup)), "File exists")
        self.refused(self.ctl("backup", "create"), "--out with the name of a file")
        self.refused(self.ctl("backup", "create", "--out", "/nowhere/x"), "No such file")
        first = self.machines[0]
        first.data.mkdir(parents=True)
        (first.data / "x").write_text("x")
        self.refused(first.setup("cluster", "restore", str(backup), first.link), "holds data (x)")
        (first.data / "x").unlink()
        first.conf.mkdir()
        (first.conf / "muster.yaml").write_text("x")
        self.refused(first.setup("cluster", "restore", str(backup), first.link), "File exists")
        self.assertEqual([], list(first.data.iterdir()))
        self._expect_no_room()

        for node in (2, 3):
            self.cluster.kill(node)
        await self.cluster.wait_serving(1, 20.0, wanted=False)
        late = self.scratch / "late"
        self.refused(self.ctl("--node", "1", "backup", "create", "--out", str(late)),
                     "does not serve")
        self.assertEqual(["good"], [path.name for path in self.scratch.iterdir()])
        for node in (2, 3):
            await self.cluster.start(node)

    async def test_asker_gone(self) -> None:
        """Somebody asks for a backup and is gone before the cluster has granted it: that begins
        nothing which would be in the way of the next one."""
        for number in range(ASKERS_GONE):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(self.cluster.cluster.node(1).control)
                connection.sendall(b'{"verb": "backup.begin"}\n')
            await asyncio.to_thread(self.create, 1, f"good{number}")

    def _expect_no_room(self) -> None:
        """As on a full disk: the file may not grow."""
        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))

        done = subprocess.run(
            [find_program("musterctl"), "--cluster", str(self.cluster.folder), "backup", "create",
             "--out", str(self.scratch / "large")], capture_output=True, text=True, check=False,
            preexec_fn=limit, timeout=60)
        self.assertEqual(REFUSED, done.returncode, done)
        self.assertIn("large.tmp: File too large", done.stderr)


if __name__ == "__main__":
    unittest.main()
