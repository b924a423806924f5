"""A cluster set up as on real machines: cluster init, node token, node join, one musterd each."""

import os
import shlex
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from tests.lib.cluster import PASSWORD
from tests.lib.xmpp_client import Client, Settings
from tests.lib.xmpp_stream import Address
from tests.operator.ctl import Said, musterctl
from tools.local import ports
from tools.local.control import ControlError, ask
from tools.local.main import find_program

DOMAIN = "example.test"
TIMEOUT_S = 60.0
POLL_S = 0.05


class Machine:
    """What stands for one machine: its folders, its ports, its musterd."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder / f"machine{number}"
        self.folder.mkdir()
        self.conf, self.data = self.folder / "etc", self.folder / "var"
        self.control = str(self.folder / "control")
        self.ports = ports.choose("127.0.0.1", None, number)
        self.link = f"127.0.0.1:{self.ports['link']}"
        self.process: subprocess.Popen | None = None

    def setup(self, *arguments: str) -> Said:
        """A command that makes or uses this machine's folders."""
        return musterctl(*arguments, "--dir", str(self.conf), "--data", str(self.data))

    def ctl(self, *arguments: str, stdin: str = "") -> Said:
        """A command to this machine's node."""
        return musterctl("--control", self.control, *arguments, stdin=stdin)

    def adapt(self) -> None:
        """All machines are one here: give the node ports and a control socket of its own."""
        file = self.conf / "muster.yaml"
        text = file.read_text()
        text = text.replace("port: 5222", f"port: {self.ports['c2s']}")
        text = text.replace("tls_port: 5223", f"tls_port: {self.ports['c2s_tls']}")
        text = text.replace('bind: "[::]', 'bind: "127.0.0.1').replace('bind: "::"',
                                                                         'bind: "127.0.0.1"')
        file.write_text(text + f"control: {{socket: {self.control}}}\n")

    def start(self) -> None:
        """Check the configuration as systemd would, then run the node and wait until it serves."""
        file = str(self.conf / "muster.yaml")
        subprocess.run([find_program("musterd"), "-t", "-c", file], check=True,
                       stdout=subprocess.DEVNULL)
        launcher = shlex.split(os.environ.get("MUSTER_LAUNCHER", ""))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*launcher, find_program("musterd"), "-c", file],
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + TIMEOUT_S
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(POLL_S)

    def _serves(self) -> bool:
        try:
            return bool(ask(self.control, "node.status")["serving"])
        except ControlError:
            return False

    def stop(self) -> int:
        """Stop gracefully; returns the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()
            self.process = None


class Setup(unittest.IsolatedAsyncioTestCase):
    """Three machines, one after the other."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="muster-setup-")
        self.addCleanup(scratch.cleanup)
        self.machines = [Machine(Path(scratch.name), number) for number in (1, 2, 3)]
        for machine in self.machines:
            self.addCleanup(machine.stop)

    def _ok(self, said: Said) -> Said:
        self.assertEqual(0, said.code, said)
        return said

    def _join(self, first: Machine, joining: Machine, number: int, *options: str) -> None:
        token = self._ok(musterctl("--control", first.control, "node", "token", str(number),
                                   joining.link, "--dir", str(first.conf), *options)).out
        file = joining.folder / "token"
        file.write_text(token)
        self._ok(joining.setup("node", "join", str(file), *options))

    async def test_three_machines(self) -> None:
        """init, token, join; then an account made on one node logs in on another, all hashes are
        equal, and every node stops with 0."""
        first, second, third = self.machines
        self._ok(first.setup("cluster", "init", first.link, "--domain", DOMAIN))
        first.adapt()
        first.start()
        for number, machine in ((2, second), (3, third)):
            self._join(first, machine, number)
            machine.adapt()
            machine.start()
        self._ok(second.ctl("user", "add", f"a@{DOMAIN}", "--password-file", "-",
                            stdin=PASSWORD + "\n"))
        address = Address("127.0.0.1", third.ports["c2s"])
        client = Client(Settings(f"a@{DOMAIN}", PASSWORD, [address], None))
        await client.start()
        await client.close()
        self.assertEqual([0, 0, 0], [machine.stop() for machine in self.machines])

    async def test_token_is_needed(self) -> None:
        """Rubbish is no token, and secrets are readable by their owner only."""
        first, second, _ = self.machines
        self._ok(first.setup("cluster", "init", first.link, "--domain", DOMAIN))
        rubbish = second.folder / "token"
        rubbish.write_text("rubbish\n")
        self.assertNotEqual(0, second.setup("node", "join", str(rubbish)).code)
        for key in first.conf.rglob("*.key"):
            self.assertEqual(0, key.stat().st_mode & 0o007, key)
        self.assertNotEqual(0, first.setup("cluster", "init", first.link, "--domain", DOMAIN).code,
                            "a second init must not overwrite the first")
