"""A machine of an operator, as folders, a loopback address and a process on this one."""

import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from tests.operator.ctl import Said, musterctl
from tools.local import ports
from tools.local.control import ControlError, ask
from tools.local.main import find_program

TIMEOUT_S = 60.0
POLL_S = 0.05


class Machine:
    """What stands for one machine: its folders, its ports, its musterd."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder / f"machine{number}"
        self.folder.mkdir()
        self.conf, self.data = self.folder / "etc", self.folder / "var"
        self.control = str(self.folder / "control")
        self.host = f"127.0.0.{number}"
        self.ports = ports.choose(self.host, None, number)
        self.link = f"{self.host}:{self.ports['link']}"
        self.process: subprocess.Popen | None = None
        self.stderr: int | None = None  # of the node, instead of a file

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
        text = text.replace('bind: "[::]', f'bind: "{self.host}').replace(
            'bind: "::"', f'bind: "{self.host}"')
        file.write_text(text + f"control: {{socket: {self.control}}}\n")

    def start(self, **environment: str) -> None:
        """Run the node and wait until it serves."""
        self.run(**environment)
        deadline = time.monotonic() + TIMEOUT_S
        while not self.serves():
            if not self.runs() or time.monotonic() > deadline:
                raise AssertionError(self.log())
            time.sleep(POLL_S)

    def run(self, **environment: str) -> None:
        """Check the configuration as systemd would, then run the node."""
        file = str(self.conf / "muster.yaml")
        subprocess.run([find_program("musterd"), "-t", "-c", file], check=True,
                       stdout=subprocess.DEVNULL)
        launcher = shlex.split(os.environ.get("MUSTER_LAUNCHER", ""))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*launcher, find_program("musterd"), "-c", file],
                                            stdout=log,
                                            stderr=log if self.stderr is None else self.stderr,
                                            env={**os.environ, **environment})

    def log(self) -> str:
        """What the node has said."""
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    def runs(self) -> bool:
        """Is there a process?"""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """A signal to the node."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def wipe(self) -> None:
        """The disk with the data is lost."""
        shutil.rmtree(self.data)

    def raft_id(self) -> int:
        """The membership that this machine has."""
        return json.loads((self.data / "node.json").read_text())["raft_id"]

    def serves(self) -> bool:
        """Does the node say so?"""
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
