"""Users go from one cluster to another, and to Prosody, by XEP-0227."""

import asyncio
import tempfile
import unittest
from pathlib import Path

from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.recorder import befriend
from tests.lib.xmpp_client import ROSTER_NS
from tests.migrate.guest import Guest
from tests.migrate.restored import Inbox, until_acked
from tests.migrate.servers import DOMAIN, Prosody
from tests.operator.ctl import REFUSED, Said, musterctl

TEXTS = ["one", "<two/> & 'three'", "\U0001f600"]
NAMES = ["alice", "bob", "carol"]


class Export(unittest.IsolatedAsyncioTestCase):
    """A cluster with users, and where they go."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients
        scratch = tempfile.TemporaryDirectory(prefix="muster-export-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.cluster = self.make_cluster()
        self.jids = {name: self.cluster.add_user(name) for name in NAMES}

    def make_cluster(self) -> TestCluster:
        """Three nodes."""
        cluster = TestCluster("--nodes", "3")
        self.addCleanup(cluster.close)
        cluster.wait_written()
        return cluster

    def ctl(self, cluster: TestCluster, *words: str) -> Said:
        """musterctl for a cluster."""
        return musterctl("--cluster", str(cluster.folder), *words)

    def export(self, cluster: TestCluster, name: str, *words: str) -> Path:
        """A file of XEP-0227, for its owner alone."""
        path = self.folder / name
        said = self.ctl(cluster, "user", "export", *words, "--out", str(path))
        self.assertEqual(0, said.code, said)
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        return path

    async def _live(self) -> None:
        """Friends, a group, requests with content and without, and messages that wait."""
        alice, bob = [self.cluster.client(self.jids[name], node)
                      for node, name in enumerate(("alice", "bob"), 1)]
        for client in (alice, bob):
            await client.start()
            client.send_presence()
        await befriend(alice, bob)
        await alice.request(f"<query xmlns='{ROSTER_NS}'><item jid='{self.jids['bob']}' "
                            "name='B &amp; &lt;o&gt;'><group>G&apos;1</group></item></query>",
                            "set")
        alice.send_presence(self.jids["carol"], "subscribe",
                            "<status>please</status><x xmlns='a:b' c='d'/>")
        bob.send_presence(self.jids["carol"], "subscribe")
        await alice.request("<vCard xmlns='vcard-temp'><FN>A &amp; B</FN></vCard>", "set")
        await alice.request("<query xmlns='jabber:iq:private'><e xmlns='n' a='&apos;'>1</e>"
                            "</query>", "set")
        for text in TEXTS:
            alice.send_message(self.jids["carol"], text)
        await alice.all_acked()
        await bob.all_acked()
        for client in (alice, bob):
            await client.close()

    async def test_to_another_cluster(self) -> None:
        """All users are exported and imported into a new cluster, where nobody was; what that one
        exports is the same, byte for byte. Carol logs in there and has her messages; a second
        import brings them back no more."""
        await self._live()
        first = await asyncio.to_thread(self.export, self.cluster, "first.xml")
        other = await asyncio.to_thread(self.make_cluster)
        said = self.ctl(other, "user", "import-xml", str(first), "--json")
        self.assertEqual({"users": 3, "made": 3, "contacts": 4, "requests": 2,
                          "kept": 2, "messages": len(TEXTS), "left_out": 0, "known": 0,
                          "refused": 0, "not_taken": {}}, said.json())
        second = await asyncio.to_thread(self.export, other, "second.xml", "--domain", DOMAIN)
        self.assertEqual(first.read_text(), second.read_text())

        inbox = Inbox(other.client(self.jids["carol"], 2))
        found = await inbox.get(len(TEXTS))
        self.assertEqual(TEXTS, [text for _, text, _, _ in found])
        await until_acked(other, 2, inbox.client.full_jid)
        await inbox.client.close()
        self.assertEqual(0, self.ctl(other, "user", "import-xml", str(first)).code)
        third = await asyncio.to_thread(self.export, other, "third.xml", self.jids["carol"])
        self.assertNotIn("offline-messages", third.read_text())
        await other.wait_equal()

    async def test_refusals(self) -> None:
        """No file is overwritten, none is left of what failed; a file that breaks off is taken up
        to there and says its line; a domain that is not served is named; all can be done again."""
        first = await asyncio.to_thread(self.export, self.cluster, "first.xml")
        for words in (("--out", str(first)), ("--out", "/nowhere/x"),
                      ("nobody@" + DOMAIN, "--out", str(self.folder / "x"))):
            said = self.ctl(self.cluster, "user", "export", *words)
            self.assertEqual(REFUSED, said.code, said)
        self.assertEqual(["first.xml"], [path.name for path in self.folder.iterdir()])

        other = await asyncio.to_thread(self.make_cluster)
        text = first.read_text()
        broken = self.folder / "broken.xml"
        broken.write_text(text[:text.index("<user name='carol'")])
        said = self.ctl(other, "user", "import-xml", str(broken))
        self.assertIn(f"{broken}:{broken.read_text().count(chr(10)) + 1}: is no well-formed XML",
                      said.err)
        self.assertIn("2 accounts made", said.out)
        self.assertIn("1 accounts made", self.ctl(other, "user", "import-xml", str(first)).out)
        broken.write_text(text.replace(f"<host jid='{DOMAIN}'", "<host jid='elsewhere.test'"))
        said = self.ctl(other, "user", "import-xml", str(broken))
        self.assertEqual(REFUSED, said.code, said)
        self.assertEqual(3, said.err.count("first: domain add elsewhere.test"), said)

    async def test_to_prosody(self) -> None:
        """The way out: each user in a file, as Prosody's driver of XEP-0227 has them. There Alice
        and Bob log in with their passwords and have their contacts."""
        await self._live()
        for jid in self.jids.values():
            await asyncio.to_thread(self.export, self.cluster, f"{jid}.xml", jid)
        server = Prosody()
        self.addCleanup(server.close)
        await asyncio.to_thread(server.take, self.folder)
        await asyncio.to_thread(server.run)
        alice, bob = Guest(self.jids["alice"], PASSWORD), Guest(self.jids["bob"], PASSWORD)
        for guest in (alice, bob):
            await guest.start(server.address)
        self.assertEqual({self.jids["bob"]: ("B & <o>", "both", "", ("G'1",)),
                          self.jids["carol"]: ("", "none", "subscribe", ())},
                         await alice.roster())
        self.assertEqual({self.jids["alice"]: ("", "both", "", ()),
                          self.jids["carol"]: ("", "none", "subscribe", ())}, await bob.roster())
        for guest in (alice, bob):
            await guest.close()


if __name__ == "__main__":
    unittest.main()
