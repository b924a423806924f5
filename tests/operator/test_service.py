"""The systemd unit, and what a node tells the service manager (sd_notify)."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lib.cluster import ROOT
from tests.operator.hang import busy, hanging
from tests.operator.machine import Machine
from tests.operator.test_setup import DOMAIN, MachinesTest
from tools.local.main import find_program

UNIT = ROOT / "deploy" / "systemd" / "musterd.service"
PERIOD_S = 0.5         # how often a node that moves feeds the watchdog
HANG_S = 4 * PERIOD_S
TIMEOUT_S = 30.0
WORKERS = 4
IMPORT_ROWS = 10000    # far more than are derived until the stop
EXPOSURE_MAX = 1.5     # of 10, as systemd-analyze security counts


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def _messages(self, seconds: float) -> Iterator[list[str]]:
        """What comes within so many seconds, as it comes: each message as its lines."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                yield self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                break

    def listen(self, seconds: float) -> list[list[str]]:
        """All messages of so many seconds."""
        return list(self._messages(seconds))

    def wait(self, line: str) -> list[str]:
        """The next message with this line in it."""
        for message in self._messages(TIMEOUT_S):
            if line in message:
                return message
        raise AssertionError(f"no {line} within {TIMEOUT_S} s")

    def fed(self, seconds: float) -> int:
        """How often the watchdog is fed in this time."""
        return self.listen(seconds).count(["WATCHDOG=1"])


class Service(MachinesTest):
    """Nodes as systemd runs them."""

    def setUp(self) -> None:
        super().setUp()
        self.manager = Manager(self.machines[0].folder)
        self.addCleanup(self.manager.close)

    async def test_watchdog(self) -> None:
        """READY=1 when the node serves; the watchdog is fed while both the raft and the state
        thread move, whatever a worker does; a worker that hangs is an alarm, and the node says that
        it does not serve."""
        node = self.machines[0]
        self.init()
        node.run(NOTIFY_SOCKET=self.manager.path)
        assert node.process is not None
        pid = node.process.pid
        self.assertIn("STATUS=serving", self.manager.wait("READY=1"))
        self.assertTrue(node.ctl("--json", "node", "status").json()["serving"])
        self.assertGreaterEqual(self.manager.fed(HANG_S), HANG_S / PERIOD_S / 2)
        for thread in ("raft", "state"):
            with hanging(pid, thread):
                self.manager.listen(2 * PERIOD_S)  # what was on its way
                self.assertEqual(0, self.manager.fed(HANG_S), f"{thread} hangs unseen")
            self.manager.wait("WATCHDOG=1")
        with hanging(pid, "worker"):
            self.assertGreaterEqual(self.manager.fed(HANG_S), HANG_S / PERIOD_S / 2)
            self.manager.wait("STATUS=not serving")
            status = node.ctl("--json", "node", "status").json()
            self.assertEqual((False, 1, ["worker-hung"]),
                             (status["serving"], status["workers_hung"], status["alarms"]))
            self.manager.wait("WATCHDOG=1")
        self.manager.wait("STATUS=serving")

    async def test_reload_at_the_start(self) -> None:
        """Whoever connects to the control socket first may ask for a reload: the node is whole."""
        node = self.machines[0]
        self.init()
        node.run()
        deadline = time.monotonic() + TIMEOUT_S
        while node.ctl("reload").code != 0:
            self.assertTrue(node.runs(), node.log())
            self.assertLess(time.monotonic(), deadline)
        await asyncio.to_thread(self.wait_serving, node)
        self.assertEqual(0, node.stop())

    def wait_serving(self, node: Machine) -> None:
        """Wait until a node that runs serves."""
        deadline = time.monotonic() + TIMEOUT_S
        while not node.serves():
            self.assertLess(time.monotonic(), deadline, node.log())
            time.sleep(0.05)

    async def test_stalled_log(self) -> None:
        """A node whose log nobody reads serves, reloads and stops."""
        node = self.machines[0]
        self.init()
        conf = node.conf / "muster.yaml"
        conf.write_text(conf.read_text() + "log: {level: debug}\n")
        reading, node.stderr = os.pipe()
        os.set_blocking(node.stderr, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(node.stderr, b"x" * 4096)
        os.set_blocking(node.stderr, True)
        node.start()
        for name in ("a", "b"):
            client = self.client(name, 1)
            await client.start()
            await client.close()
        self.ok(node.ctl("reload"))
        self.assertEqual(0, node.stop())
        os.close(reading)
        os.close(node.stderr)

    async def test_reload_and_stop(self) -> None:
        """SIGHUP: RELOADING=1 with the time, then READY=1, also when the reload is refused.
        SIGTERM: STOPPING=1 and exit code 0; more signals do not cut the stop short."""
        node = self.machines[0]
        self.init()
        node.run(NOTIFY_SOCKET=self.manager.path)
        self.manager.wait("READY=1")
        conf = node.conf / "muster.yaml"
        for broken in (False, True):
            if broken:
                conf.write_text("rubbish: true\n")
            before = time.monotonic_ns() // 1000
            node.signal(signal.SIGHUP)
            stamp = next(line for line in self.manager.wait("RELOADING=1")
                         if line.startswith("MONOTONIC_USEC="))
            self.assertGreaterEqual(int(stamp.partition("=")[2]), before)
            self.manager.wait("READY=1")
        assert node.process is not None
        with hanging(node.process.pid, "state"):  # so that the stop takes a while
            node.signal(signal.SIGTERM)
            self.manager.wait("STOPPING=1")
            for again in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                node.signal(again)
            self.manager.listen(PERIOD_S)
        self.assertEqual(0, node.process.wait(TIMEOUT_S))

    async def test_stop_during_an_import(self) -> None:
        """A node that stops while passwords become keys ends with 0; the import is told."""
        node = self.machines[0]
        self.found()
        assert node.process is not None
        pid = node.process.pid
        rows = node.folder / "rows.csv"
        rows.write_text("".join(f"user{i}@{DOMAIN},word\n" for i in range(IMPORT_ROWS)))
        with ThreadPoolExecutor() as pool:
            said = pool.submit(node.ctl, "user", "import", str(rows))
            deadline = time.monotonic() + TIMEOUT_S
            while not busy(pid, "derive"):
                self.assertLess(time.monotonic(), deadline, "nothing is derived")
                await asyncio.sleep(0.01)
            self.assertEqual(0, node.stop())
        self.assertNotEqual(0, said.result().code)

    async def test_stop_of_all_workers(self) -> None:
        """All workers end their streams at once: none waits for the one before it."""
        node = self.machines[0]
        self.init()
        conf = node.conf / "muster.yaml"
        conf.write_text(conf.read_text() + f"limits: {{workers: {WORKERS}}}\n")
        node.start()
        assert node.process is not None
        count = 10 * WORKERS  # the kernel spreads them over the workers
        peers = [await asyncio.open_connection(node.host, node.ports["c2s"]) for _ in range(count)]
        with hanging(node.process.pid, "worker"):
            node.signal(signal.SIGTERM)
            ends = [asyncio.ensure_future(reader.read()) for reader, _ in peers]
            async with asyncio.timeout(TIMEOUT_S):
                while sum(end.done() for end in ends) < count // WORKERS:
                    await asyncio.sleep(0.01)
        await asyncio.gather(*ends, return_exceptions=True)  # some may not be accepted yet
        for _, writer in peers:
            writer.close()
        self.assertEqual(0, node.process.wait(TIMEOUT_S))

    async def test_not_ready_without_a_majority(self) -> None:
        """A node that waits for its cluster is not ready, and a SIGHUP does not make it so."""
        first, second, _ = self.machines
        self.found()
        self.join(2)
        self.assertEqual([0, 0], [second.stop(), first.stop()])
        second.run(NOTIFY_SOCKET=self.manager.path)
        self.manager.wait("WATCHDOG=1")
        second.signal(signal.SIGHUP)
        heard = [line for message in self.manager.listen(2.0) for line in message]
        self.assertIn(" node.reloaded", second.log())
        self.assertEqual({"WATCHDOG=1"}, set(heard))
        first.run()
        self.manager.wait("READY=1")

    async def test_unit(self) -> None:
        """systemd finds no fault in the unit, nor more rights than the node needs."""
        with tempfile.TemporaryDirectory() as folder:
            unit = Path(folder) / "musterd.service"
            programs = str(Path(find_program("musterd")).parent)
            unit.write_text(UNIT.read_text().replace("/usr/bin", programs))
            done = subprocess.run(["systemd-analyze", "--man=no", "verify", str(unit)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
            done = subprocess.run(["systemd-analyze", "--man=no", "verify", str(unit)],
                                  capture_output=True, text=True, check=False)
            self.assertIn("WatchdogSecs", done.stderr)
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager",
             f"--threshold={int(EXPOSURE_MAX * 10)}", str(UNIT)],
            capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
