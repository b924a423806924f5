"""Accounts, domains and sessions by musterctl, against a cluster of three nodes."""

import asyncio
import base64
import hashlib
import hmac
import os
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.scram import AuthenticationError
from tests.operator.ctl import Said, musterctl

TIMEOUT_S = 10.0
POLL_S = 0.05
REFUSED, USAGE, UNREACHED = 1, 2, 3


class Accounts(unittest.IsolatedAsyncioTestCase):
    """What is done through one node holds on all."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3")
        cls.addClassCleanup(cls.cluster.close)

    def ctl(self, *arguments: str, stdin: str = "") -> Said:
        """musterctl for this cluster."""
        return musterctl("--cluster", str(self.cluster.folder), *arguments, stdin=stdin)

    def ok(self, *arguments: str, stdin: str = "") -> Said:
        """A call that must succeed."""
        said = self.ctl(*arguments, stdin=stdin)
        self.assertEqual(0, said.code, said)
        return said

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that takes a moment."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            await asyncio.sleep(POLL_S)

    async def logs_in(self, jid: str, password: str, node: int = 2,
                      mechanism: str = "SCRAM-SHA-256") -> None:
        """A login that must succeed."""
        client = self.cluster.client(jid, node, mechanism=mechanism)
        client.settings.password = password
        await client.start()
        await client.close()

    async def test_life_of_an_account(self) -> None:
        """add, show, list, passwd, remove; the password of the day is the one that counts."""
        jid = "life@example.test"
        self.ok("user", "add", jid, "--password-file", "-", stdin="first\n")
        await self.logs_in(jid, "first")
        self.assertEqual(REFUSED, self.ctl("user", "add", jid, "--password-file", "-",
                                           stdin="again\n").code)
        self.assertIn(jid, self.ok("user", "list").out)
        self.assertIn("SCRAM-SHA-256", self.ok("user", "show", jid).out)
        self.ok("user", "passwd", jid, "--password-file", "-", stdin="second\n")
        await self.logs_in(jid, "second", 3)
        with self.assertRaises(AuthenticationError):
            await self.logs_in(jid, "first")
        self.ok("user", "remove", jid)
        self.assertNotIn(jid, self.ok("user", "list").out)
        with self.assertRaises(AuthenticationError):
            await self.logs_in(jid, "second")

    async def test_import(self) -> None:
        """Passwords and ready SCRAM keys from CSV; both kinds log in."""
        salt, rounds = os.urandom(16), 4096
        salted = hashlib.pbkdf2_hmac("sha256", b"ready", salt, rounds)
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        server = hmac.digest(salted, b"Server Key", "sha256")
        keys = ",".join(base64.b64encode(one).decode() for one in (salt, stored, server)).split(",")
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("clear@example.test,plain words\n"
                       f"keys@example.test,SCRAM-SHA-256,{rounds},{','.join(keys)}\n")
            file.flush()
            self.ok("user", "import", file.name)
        await self.logs_in("clear@example.test", "plain words")
        await self.logs_in("keys@example.test", "ready", 3)

    async def test_domains(self) -> None:
        """A domain is served once it was added; one with accounts cannot be removed."""
        self.ok("domain", "add", "second.test")
        self.assertIn("second.test", self.ok("domain", "list").out)
        self.ok("user", "add", "a@second.test", "--password-file", "-", stdin="word\n")
        self.assertEqual("a@second.test\n", self.ok("user", "list", "--domain", "Second.TEST").out)
        self.assertEqual(USAGE, self.ctl("user", "list", "--domain", "a b").code)
        self.assertEqual(REFUSED, self.ctl("domain", "remove", "second.test").code)
        self.ok("user", "remove", "a@second.test")
        await self.until(lambda: self.ctl("domain", "remove", "second.test").code == 0,
                         "the account's rows go in steps; then the domain can go")
        self.assertNotIn("second.test", self.ok("domain", "list").out)

    async def test_sessions(self) -> None:
        """A session is listed with its node, shown, and gone when killed; a refusal says there is
        none."""
        jid = self.cluster.add_user("seen")
        for verb in ("show", "kill"):
            said = self.ctl("session", verb, f"{jid}/desk")
            self.assertEqual((REFUSED, f"musterctl: {jid}/desk has no session\n"),
                             (said.code, said.err))
        client = self.cluster.client(jid, 2, resource="desk")
        await client.start()
        row = self.ok("session", "list", jid).out.splitlines()[-1].split()
        self.assertEqual([jid, "desk", "live", "2"], row[1:5])
        self.assertIn("desk", self.ok("session", "show", client.full_jid).out)
        self.ok("session", "kill", client.full_jid)
        await client.wait_until(lambda: client.event_count("dropped") > 0, 10, "the end")
        await client.close()
        self.assertNotIn("desk", self.ok("session", "list", jid).out)

    async def test_look_at_the_cluster(self) -> None:
        """Status of every node, leadership handed on, hashes equal."""
        status = self.ok("node", "status").out
        self.assertEqual(3, status.count("yes"), status)
        leader = self.cluster.leader()
        target = next(one for one in self.cluster.ids if one != leader)
        self.ok("cluster", "transfer", str(target))
        await self.until(lambda: self.cluster.leader() == target, "the new leader")
        self.ok("state", "hash")

    async def test_refusals(self) -> None:
        """Wrong use, bad addresses, unknown users and absent nodes each have their exit code."""
        self.assertEqual(USAGE, self.ctl("user", "fly").code)
        self.assertEqual(USAGE, self.ctl("user", "add").code)
        for name in ("@", "a@", "nobody@nowhere.test"):
            said = self.ctl("user", "add", name, "--password-file", "-", stdin="word\n")
            self.assertIn(said.code, (REFUSED, USAGE), said)
            self.assertTrue(said.err)
        self.assertEqual(REFUSED, self.ctl("user", "remove", "nobody@example.test").code)
        gone = musterctl("--control", str(Path(self.cluster.folder) / "gone"), "user", "list")
        self.assertEqual(UNREACHED, gone.code, gone)

    async def test_no_password_on_the_command_line(self) -> None:
        """There is no way to pass a password as an argument."""
        said = self.ctl("user", "add", "arg@example.test", PASSWORD)
        self.assertEqual(USAGE, said.code, said)
