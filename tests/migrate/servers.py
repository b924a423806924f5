"""Other XMPP servers, from their Debian packages, each in a folder and as an ordinary user."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

DOMAIN = "example.test"
HOST = "127.0.0.1"
TIMEOUT_S = 60.0
POLL_S = 0.1
PROSODY_MIGRATOR = Path("/usr/bin/prosody-migrator")
PROSODY_DATA = "CFG_DATADIR='/var/lib/prosody';"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class OtherServer:
    """What two servers have in common: a folder, a user, a process, an address for clients."""

    user = "nobody"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="muster-other-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.prepare()
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self.user)

    @property
    def address(self) -> tuple[str, int]:
        """Where clients find it."""
        return HOST, self.port

    def prepare(self) -> None:
        """Write the configuration."""
        raise NotImplementedError

    def command(self, *words: str) -> str:
        """Run one of its programs to its end."""
        done = subprocess.run(words, cwd=self.folder, env=self._environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=TIMEOUT_S, user=self._user())
        if done.returncode != 0:
            raise AssertionError(f"{words}: {done.stdout}")
        return done.stdout

    def start(self, *words: str) -> None:
        """Run it, in a group of its own, and wait until it listens."""
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(words, cwd=self.folder, env=self._environment(),
                                            stdout=output, stderr=output, user=self._user(),
                                            start_new_session=True)
        deadline = time.monotonic() + TIMEOUT_S
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "output").read_text())
            time.sleep(POLL_S)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0

    def stop(self) -> None:
        """End it and all that it started."""
        if self.process is not None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(TIMEOUT_S)
            finally:
                self._signal(signal.SIGKILL)
            self.process = None

    def _signal(self, number: signal.Signals) -> None:
        """To all of its group that are still there."""
        assert self.process is not None
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder)

    def _user(self) -> int | None:
        return pwd.getpwnam(self.user).pw_uid if os.geteuid() == 0 else None

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}


class Prosody(OtherServer):
    """Prosody with its own storage; its migrator makes files of XEP-0227 of it."""

    def prepare(self) -> None:
        """Server and migrator."""
        (self.folder / "data").mkdir()
        (self.folder / "out").mkdir()
        (self.folder / "prosody.cfg.lua").write_text(f"""
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.folder}/data"
modules_enabled = {{ "roster", "saslauth", "offline", "vcard", "private", "disco" }}
authentication = "internal_hashed"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
s2s_ports = {{}}
interfaces = {{ "{HOST}" }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{}}
log = {{ info = "{self.folder}/log" }}
VirtualHost "{DOMAIN}"
""")
        (self.folder / "migrator.cfg.lua").write_text(f"""
input {{ hosts = {{ ["{DOMAIN}"] = {{ "accounts", "roster", "vcard", "private" }} }};
        type = "internal"; path = "{self.folder}/data"; }}
output {{ type = "xep0227"; }}
""")
        # It writes where the server has its data, which is a constant of the program.
        text = PROSODY_MIGRATOR.read_text()
        assert PROSODY_DATA in text
        (self.folder / "migrator").write_text(
            text.replace(PROSODY_DATA, f"CFG_DATADIR='{self.folder}/out';"))

    def _prosodyctl(self, *words: str) -> str:
        return self.command("prosodyctl", "--config", f"{self.folder}/prosody.cfg.lua", *words)

    def add_user(self, name: str, password: str) -> None:
        """An account."""
        self._prosodyctl("register", name, DOMAIN, password)

    def run(self) -> None:
        """Start it."""
        self.start("prosody", "--config", f"{self.folder}/prosody.cfg.lua", "-F")

    def export(self) -> Path:
        """A folder with a file for each user."""
        self.stop()
        self.command("lua5.4", f"{self.folder}/migrator",
                     f"--config={self.folder}/migrator.cfg.lua", "input", "output")
        return self.folder / "out"

    def take(self, files: Path) -> None:
        """The other way: files of XEP-0227, one for each user, become its storage."""
        self.stop()
        for path in files.glob("*.xml"):
            shutil.copy(path, self.folder / "out")
            if os.geteuid() == 0:
                shutil.chown(self.folder / "out" / path.name, self.user)
        config = self.folder / "migrator.cfg.lua"
        config.write_text(f"""
input {{ hosts = {{ ["{DOMAIN}"] = {{ "accounts", "roster" }} }}; type = "xep0227"; }}
output {{ type = "internal"; path = "{self.folder}/data"; }}
""")
        self.command("lua5.4", f"{self.folder}/migrator", f"--config={config}", "input", "output")


class Ejabberd(OtherServer):
    """ejabberd with its own storage. It needs no epmd: its port for other nodes is told."""

    user = "ejabberd"

    def prepare(self) -> None:
        """Server and control program."""
        for name in ("conf", "spool", "logs", "export"):
            (self.folder / name).mkdir()
        (self.folder / "conf" / "inetrc").write_text("")
        (self.folder / "conf" / "ejabberdctl.cfg").write_text(
            f"ERL_DIST_PORT={free_port()}\nINET_DIST_INTERFACE={HOST}\n")
        (self.folder / "conf" / "ejabberd.yml").write_text(f"""
hosts: ["{DOMAIN}"]
listen:
  - {{port: {self.port}, ip: "{HOST}", module: ejabberd_c2s, starttls_required: false}}
auth_method: internal
auth_password_format: scram
auth_scram_hash: sha256
access_rules: {{local: {{allow: all}}}}
api_permissions: {{"console": {{from: [ejabberd_ctl], who: all, what: "*"}}}}
modules: {{mod_roster: {{}}, mod_offline: {{}}, mod_vcard: {{}}, mod_private: {{}}}}
""")

    def _words(self, *words: str) -> list[str]:
        return ["ejabberdctl", "--config-dir", f"{self.folder}/conf", "--spool",
                f"{self.folder}/spool", "--logs", f"{self.folder}/logs", "--node",
                f"muster{self.port}@localhost", *words]

    def run(self) -> None:
        """Start it."""
        self.start(*self._words("foreground"))
        self.command(*self._words("started"))

    def add_user(self, name: str, password: str) -> None:
        """An account, while it runs."""
        self.command(*self._words("register", name, DOMAIN, password))

    def export(self) -> Path:
        """The main file, which names the others."""
        self.command(*self._words("export_piefxis", f"{self.folder}/export"))
        self.stop()
        return min(self.folder.joinpath("export").iterdir(), key=lambda path: len(path.name))
