"""profanity in a tmux of its own: type commands, read the screen and the log."""

import asyncio
import re
import subprocess
import time
from pathlib import Path

from tests.lib.xmpp_stream import Address

POLL_S = 0.05
TIMEOUT_S = 20.0
COLUMNS, ROWS = "160", "50"
# A chroot that was given /dev without /dev/pts: terminals in a mount namespace of our own.
MAKE_TERMINALS = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                  "mount --make-private /dev && mount -t devpts -o ptmxmode=0666 devpts /dev/pts"
                  ' && exec "$@"', "sh"]


class Profanity:
    """One profanity process with its own folders, logged in at one address."""

    def __init__(self, folder: Path, jid: str, password: str, address: Address, ca: str) -> None:
        self.jid = jid
        self.folder = folder
        self._socket = str(folder / "tmux")
        self._account(password, address)
        environment = ["env", "LC_ALL=C.UTF-8", f"SSL_CERT_FILE={ca}",
                       f"XDG_DATA_HOME={folder}/data", f"XDG_CONFIG_HOME={folder}/config"]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", COLUMNS, "-y", ROWS,
                   *environment, "profanity", "-l", "DEBUG", "-a", jid)

    def _account(self, password: str, address: Address) -> None:
        data = self.folder / "data" / "profanity"
        config = self.folder / "config" / "profanity"
        data.mkdir(parents=True)
        config.mkdir(parents=True)
        (data / "accounts").write_text(
            f"[{self.jid}]\nenabled=true\njid={self.jid}\nresource=terminal\n"
            f"password={password}\nserver={address.host}\nport={address.port}\n"
            "tls.policy=force\n"
            "presence.login=online\npresence.last=online\n")
        (config / "profrc").write_text("[ui]\nsplash=false\noccupants=false\n"
                                       "[connection]\nreconnect=1\nautoping=5\n")

    def _tmux(self, *arguments: str) -> str:
        terminals = [] if Path("/dev/pts/ptmx").exists() else MAKE_TERMINALS
        done = subprocess.run([*terminals, "tmux", "-S", self._socket, *arguments],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        return done.stdout

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        """What the user sees."""
        return self._tmux("capture-pane", "-p")

    def log(self) -> str:
        """profanity's own debug log, with every stanza."""
        try:
            return (self.folder / "data/profanity/logs/profanity.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    async def shows(self, pattern: str) -> None:
        """Wait until the screen shows a text."""
        await self._wait(self.screen, pattern, 1)

    async def logs(self, pattern: str, count: int = 1) -> None:
        """Wait until the log holds a text so often."""
        await self._wait(self.log, pattern, count)

    async def _wait(self, read, pattern: str, count: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while len(re.findall(pattern, read())) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"profanity does not show {pattern!r}:\n{self.screen()}")
            await asyncio.sleep(POLL_S)

    def close(self) -> None:
        """End the process with its tmux."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True,
                       timeout=TIMEOUT_S, check=False)
