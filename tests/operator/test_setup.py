"""A cluster set up as on real machines: cluster init, node add, node join, one musterd each."""

import asyncio
import base64
import json
import shutil
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lib.cluster import PASSWORD
from tests.lib.recorder import Chat, befriend
from tests.lib.xmpp_client import Client, Settings
from tests.lib.xmpp_stream import Address
from tests.operator.ctl import Said, musterctl
from tests.operator.machine import Machine

DOMAIN = "example.test"
TIMEOUT_S = 60.0
REFUSED, USAGE = 1, 2
MESSAGE_INTERVAL_S = 0.02


class MachinesTest(unittest.IsolatedAsyncioTestCase):
    """Machines with nothing on them, and the commands that make nodes of them."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="muster-setup-")
        self.addCleanup(scratch.cleanup)
        self.machines = [Machine(Path(scratch.name), number) for number in (1, 2, 3)]
        for machine in self.machines:
            self.addCleanup(self.stop_well, machine)

    def stop_well(self, machine: Machine) -> None:
        """A node that still runs stops without a fault: a sanitizer speaks by the exit code."""
        self.assertEqual(0, machine.stop(), machine.log())

    def ok(self, said: Said) -> Said:
        """A call that must succeed."""
        self.assertEqual(0, said.code, said)
        return said

    def refused(self, said: Said, reason: str) -> None:
        """A call that must not, and says why."""
        self.assertIn(said.code, (REFUSED, USAGE), said)
        self.assertIn(reason, said.err)

    def token(self, joining: Machine, number: int, verb: str = "add", *options: str) -> Path:
        """The token of a node, in a file of its machine; made on the first machine, which has the
        authority, with the help of another one when it is the first itself that joins."""
        first = self.machines[0]
        asked = self.machines[1] if joining is first else first
        if verb == "replace":
            self._wait_gone(asked, number)
        token = self.ok(musterctl("--control", asked.control, "node", verb, str(number),
                                  joining.link, "--dir", str(first.conf), *options)).out
        file = joining.folder / "token"
        file.write_text(token)
        return file

    def _wait_gone(self, asked: Machine, number: int) -> None:
        """Until it is known that a node is not connected: it may have been killed just now."""
        deadline = time.monotonic() + TIMEOUT_S
        while any(row["node"] == number and row["connected"] for row in
                  self.ok(asked.ctl("--json", "node", "list")).json()["nodes"]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def init(self) -> None:
        """All that the first node of a new cluster needs."""
        first = self.machines[0]
        self.ok(first.setup("cluster", "init", first.link, "--domain", DOMAIN))
        first.adapt()

    def found(self) -> None:
        """The first node of a new cluster."""
        self.init()
        self.machines[0].start()

    def join(self, number: int) -> None:
        """A further node."""
        joining = self.machines[number - 1]
        self.ok(joining.setup("node", "join", str(self.token(joining, number))))
        joining.adapt()
        joining.start()

    def client(self, name: str, first: int, **settings: Any) -> Client:
        """A client of a new account that knows all machines and begins with one."""
        self.ok(self.machines[0].ctl("user", "add", f"{name}@{DOMAIN}", "--password-file", "-",
                                     stdin=PASSWORD + "\n"))
        order = self.machines[first - 1:] + self.machines[:first - 1]
        addresses = [Address(machine.host, machine.ports["c2s"]) for machine in order]
        return Client(Settings(f"{name}@{DOMAIN}", PASSWORD, addresses, None, **settings))


class Setup(MachinesTest):
    """Three machines, one after the other."""

    async def test_three_machines(self) -> None:
        """init, token, join; then an account made on one node logs in on another, all hashes are
        equal, and every node stops with 0."""
        await asyncio.to_thread(self.found)
        for number in (2, 3):
            await asyncio.to_thread(self.join, number)
        client = self.client("a", 3)
        await client.start()
        await client.close()
        self.assertEqual([0, 0, 0], [machine.stop() for machine in self.machines])

    async def test_no_folder_for_the_socket(self) -> None:
        """A node whose control socket has no folder ends at once, and its log names the cause."""
        first = self.machines[0]
        first.control = str(first.folder / "none" / "control")
        self.init()
        first.run()
        assert first.process is not None
        self.assertEqual(1, await asyncio.to_thread(first.process.wait, TIMEOUT_S), first.log())
        first.process = None
        line = next(line for line in first.log().splitlines() if "admin.listen_failed" in line)
        self.assertIn("no such file or directory", line)

    async def test_witness(self) -> None:
        """A node that is added as a witness joins as one: no clients in its configuration, and no
        certificate for them. When it has lost everything it is replaced as what it was."""
        await asyncio.to_thread(self.found)
        await asyncio.to_thread(self.join, 2)
        third = self.machines[2]
        for verb, options in (("add", ["--witness"]), ("replace", [])):
            token = await asyncio.to_thread(self.token, third, 3, verb, *options)
            self.ok(third.setup("node", "join", str(token)))
            text = (third.conf / "muster.yaml").read_text()
            self.assertIn("witness: true", text)
            self.assertNotIn("c2s:", text)
            self.assertFalse((third.conf / "tls" / f"{DOMAIN}.pem").exists())
            third.adapt()
            await asyncio.to_thread(third.start)
            await asyncio.to_thread(self._wait_witness, third, 3)
            self.assertEqual(0, third.stop(), third.log())
            third.wipe()
            shutil.rmtree(third.conf)
        self.refused(musterctl("--control", self.machines[0].control, "node", "replace", "4",
                               third.link, "--dir", str(self.machines[0].conf)), "is no member")

    def _wait_witness(self, machine: Machine, node: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            rows = machine.ctl("--json", "node", "list").json()["nodes"]
            if {row["node"]: row["witness"] for row in rows}.get(node):
                return
            self.assertLess(time.monotonic(), deadline, rows)
            time.sleep(0.1)

    async def test_init(self) -> None:
        """What cannot be in a configuration is refused before anything is written; secrets are
        readable by their owner only; a second init does not overwrite the first."""
        first = self.machines[0]
        for address, domain, name in (("nowhere", DOMAIN, "x"), ("[::1:7101", DOMAIN, "x"),
                                      (first.link, "not a domain", "x"),
                                      (first.link, DOMAIN, 'a"b'), ('a"b:7101', DOMAIN, "x"),
                                      (first.link, DOMAIN, ""), (first.link, DOMAIN, "x" * 65)):
            said = first.setup("cluster", "init", address, "--domain", domain, "--name", name)
            self.assertEqual(USAGE, said.code, said)
            self.assertFalse(first.conf.exists())
        self.ok(first.setup("cluster", "init", first.link, "--domain", DOMAIN))
        for key in first.conf.rglob("*.key"):
            self.assertEqual(0, key.stat().st_mode & 0o007, key)
        self.refused(first.setup("cluster", "init", first.link, "--domain", DOMAIN), "File exists")

    async def test_domain_in_another_spelling(self) -> None:
        """A domain means the same in capitals: accounts of it are made and log in, and while there
        are some it is not removed."""
        first = self.machines[0]
        self.ok(first.setup("cluster", "init", first.link, "--domain", DOMAIN.title()))
        first.adapt()
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(self.join, 2)
        client = self.client("a", 2)
        await client.start()
        await client.close()
        self.assertEqual(f"{DOMAIN}\n", first.ctl("domain", "list").out)
        self.refused(first.ctl("domain", "remove", DOMAIN), "has accounts, as a@")


class Tokens(MachinesTest):
    """Which tokens are good, and where."""

    def _altered(self, file: Path, change: Callable[[dict[str, Any]], object]) -> str:
        """A copy of a token with something in it changed."""
        token = json.loads(base64.b64decode(file.read_text()))
        change(token)
        copy = file.with_name("altered")
        copy.write_text(base64.b64encode(json.dumps(token).encode()).decode() + "\n")
        return str(copy)

    async def test_tokens(self) -> None:
        """Rubbish, expired, of another authority, another node's and used tokens are refused with
        the reason, and leave nothing behind; a good one is taken once."""
        await asyncio.to_thread(self.found)
        first, second, third = self.machines
        rubbish = second.folder / "rubbish"
        rubbish.write_text("rubbish\n")
        self.refused(second.setup("node", "join", str(rubbish)), "no token")
        token = self.token(second, 2)
        again = musterctl("--control", first.control, "node", "add", "2", second.link, "--dir",
                          str(first.conf))
        self.assertEqual((REFUSED, ""), (again.code, again.out), "two nodes with one raft id")
        self.assertRegex(again.err, "node 2 is a member|exists already")
        # A cluster of its own, whose authority has the same name.
        self.ok(third.setup("cluster", "init", third.link, "--domain", DOMAIN))
        alien = (third.conf / "tls" / "cluster-ca.pem").read_text()
        for change, reason in (
                (lambda one: one.update(expires=int(time.time()) - 1), "has expired"),
                (lambda one: one.pop("raft_id"), "lacks something"),
                (lambda one: one.update(ca=alien), "not of the cluster's authority"),
                (lambda one: one.update(ca="none"), "cannot be read"),
                (lambda one: one.update(node=3), "another node's"),
                (lambda one: one.update(key=(first.conf / "tls" / "node.key").read_text()),
                 "do not belong together")):
            self.refused(second.setup("node", "join", self._altered(token, change)), reason)
            self.assertFalse(second.conf.exists())
        self.refused(third.setup("node", "join", str(token)), "holds data")
        third.wipe()
        self.refused(third.setup("node", "join", str(token)), "--replace keeps")
        self.refused(third.setup("node", "join", str(token), "--replace"), "another node's")
        self.ok(second.setup("node", "join", str(token)))
        self.refused(second.setup("node", "join", str(token)), "was used here already")
        second.adapt()
        await asyncio.to_thread(second.start)

    async def test_old_token_after_a_loss(self) -> None:
        """A machine that lost its data is not taken back by the token that it had: it would vote
        twice under one raft id. The old configuration is not kept for a node of another cluster."""
        await asyncio.to_thread(self.found)
        _, second, third = self.machines
        await asyncio.to_thread(self.join, 2)
        second.kill()
        second.wipe()
        old = second.folder / "token"
        self.refused(second.setup("node", "join", str(old), "--replace"), "was used here already")
        self.refused(second.setup("node", "join", str(old)), "was used here already")
        token = await asyncio.to_thread(self.token, second, 2, "replace")
        self.ok(third.setup("cluster", "init", third.link, "--domain", DOMAIN))
        authority = second.conf / "tls" / "cluster-ca.pem"
        text = authority.read_text()
        authority.write_text((third.conf / "tls" / "cluster-ca.pem").read_text())
        self.refused(second.setup("node", "join", str(token), "--replace"), "cannot be kept")
        authority.write_text(text)
        self.ok(second.setup("node", "join", str(token), "--replace"))
        await asyncio.to_thread(second.start)


class Replace(MachinesTest):
    """A machine that lost its data."""

    async def test_replaced_under_load(self) -> None:
        """One command on each side: the node is back under its id and a new raft id, with the
        configuration that it had; nothing of a chat that runs meanwhile is lost or comes twice."""
        await asyncio.to_thread(self.found)
        for number in (2, 3):
            await asyncio.to_thread(self.join, number)
        third = self.machines[2]
        romeo, juliet = self.client("romeo", 1), self.client("juliet", 3, silence_s=1.5)
        for client in (romeo, juliet):
            await client.start()
            client.send_presence()
        await befriend(romeo, juliet)
        chat = Chat(romeo, juliet)
        chat.begin(MESSAGE_INTERVAL_S)
        before, configuration = third.raft_id(), (third.conf / "muster.yaml").read_bytes()
        third.kill()
        third.wipe()
        third.data.mkdir()
        third.run()  # the service manager would
        assert third.process is not None
        self.assertEqual(1, await asyncio.to_thread(third.process.wait, TIMEOUT_S))
        self.assertIn("musterctl node join", third.log())
        token = await asyncio.to_thread(self.token, third, 3, "replace")
        self.ok(third.setup("node", "join", str(token), "--replace"))
        await asyncio.to_thread(third.start)
        self.assertEqual(configuration, (third.conf / "muster.yaml").read_bytes())
        self.assertEqual(3, third.raft_id() >> 32)
        self.assertGreater(third.raft_id(), before)
        await asyncio.to_thread(self._wait_voter, 3)
        judgement = await chat.end(TIMEOUT_S)
        self.assertEqual(0, judgement.faults(), judgement)
        for client in (romeo, juliet):
            await client.close()
        self.assertEqual([0, 0, 0], [machine.stop() for machine in self.machines])

    async def test_first_node(self) -> None:
        """The node that founded the cluster knew nobody then, and its configuration still says so:
        it is replaced like any other. One that runs is not, nor one at another address than the
        configuration that is kept says."""
        await asyncio.to_thread(self.found)
        for number in (2, 3):
            await asyncio.to_thread(self.join, number)
        first, second, _ = self.machines
        await asyncio.to_thread(self._wait_voter, 3)
        self.refused(second.ctl("node", "replace", "1", first.link, "--dir", str(first.conf)),
                     "is up and connected")
        first.kill()
        first.wipe()
        self._wait_gone(second, 1)
        self.refused(second.ctl("node", "replace", "1", first.link, "--dir", str(second.conf)),
                     "cluster-ca.key is not here")
        moved = await asyncio.to_thread(self._moved_token, second, first)
        self.refused(first.setup("node", "join", str(moved), "--replace"), "change it there")
        token = await asyncio.to_thread(self.token, first, 1, "replace")
        self.ok(first.setup("node", "join", str(token), "--replace"))
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(self._wait_voter, 1)
        self.assertEqual([0, 0, 0], [machine.stop() for machine in self.machines])

    def _moved_token(self, asked: Machine, joining: Machine) -> Path:
        self._wait_gone(asked, 1)
        file = joining.folder / "moved"
        file.write_text(self.ok(asked.ctl("node", "replace", "1", "moved.test:7101", "--dir",
                                          str(joining.conf))).out)
        return file

    async def test_token_again_after_all_is_lost(self) -> None:
        """A voter of which nothing is left, not even the memory of its token, comes back by that
        token: the others refuse it, and say why. A new token brings it back."""
        await asyncio.to_thread(self.found)
        for number in (2, 3):
            await asyncio.to_thread(self.join, number)
        third = self.machines[2]
        await asyncio.to_thread(self._wait_voter, 3)
        third.kill()
        third.wipe()
        shutil.rmtree(third.conf)
        self.ok(third.setup("node", "join", str(third.folder / "token")))
        third.adapt()
        third.run()
        deadline = time.monotonic() + TIMEOUT_S
        while not all("its log is lost" in machine.log() for machine in self.machines[:2]):
            self.assertLess(time.monotonic(), deadline, "taken back")
            await asyncio.sleep(0.1)
        self.assertFalse(third.serves())
        third.kill()
        third.wipe()
        token = await asyncio.to_thread(self.token, third, 3, "replace")
        self.ok(third.setup("node", "join", str(token), "--replace"))
        await asyncio.to_thread(third.start)
        await asyncio.to_thread(self._wait_voter, 3)
        self.assertEqual([0, 0, 0], [machine.stop() for machine in self.machines])

    def _wait_voter(self, node: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            peers = self.machines[0].ctl("--json", "node", "status").json()["peers"]
            roles = {peer["node"]: peer["role"] for peer in peers}
            if roles.get(node) == "voter":
                return
            self.assertLess(time.monotonic(), deadline, peers)
            time.sleep(0.1)
