"""One session of a device: the XMPP client that keeps XEP-0198 to the letter, and a diary."""

import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from tests.lib.xmpp_client import PRESENCE, Client, SessionLost, Settings
from tests.lib.xmpp_stream import Address
from tools.trial.diary import Device, Diary
from tools.trial.record import Record

OWN_MESSAGE = re.compile(r"^<message id='([^']+)' to=\"([^\"]+)\"")


class Session(Client):
    """From a login to its end, over any number of connections."""

    def __init__(self, device: Device, record: Record, settings: Settings) -> None:
        super().__init__(settings, self._on_stanza)
        self.device = device
        self.diary = Diary(device, record)
        self.is_over = False
        self._drops = False  # it is our own doing that the connection ends

    # ------------------------------------------------------------ acts

    def say(self, to: str) -> None:
        """Send a message with the next number."""
        name = self.device.next_message()
        self.send(f"<message id='{name}' to={quoteattr(to)} type='chat'>"
                  f"<body>{escape(name)}</body></message>")

    def show(self) -> None:
        """Tell all contacts the next status."""
        self.send_presence(inner=f"<status>{self.diary.shows(True)}</status>")

    def drop(self) -> None:
        """Lose the connection, and come back."""
        self._drops = True
        self.break_connection()

    async def log_out(self) -> None:
        """Say good-bye."""
        self.diary.shows(False)
        self.send_presence(kind="unavailable")
        self._end("logout")
        await self.close()

    async def give_up(self) -> None:
        """Throw the session away, and tell nobody."""
        self._end("gave-up")
        await self.vanish()

    async def fail(self, why: str) -> None:
        """The login did not come to its end: what there is of a session is thrown away."""
        self._end("gave-up", why)
        await self.vanish()

    def _end(self, why: str, detail: str = "") -> None:
        """Nobody will hear what is asked still."""
        self.diary.offline(why, detail)
        self.is_over = True
        for future in self._requests.values():
            if not future.done():
                future.set_exception(SessionLost(why))

    def can_write(self) -> bool:
        """Whether what is sent goes out at once."""
        return self.diary.is_up and not self.is_over

    # ------------------------------------------------------------ what the client tells

    def note(self, name: str, detail: str = "") -> None:
        """Into the history instead of a diary."""
        if name in ("bound", "resumed"):
            self.diary.online("login" if name == "bound" else "resume", self.full_jid)
        elif name == "dropped":
            self.diary.offline("drop" if self._drops else "node", detail)
            self._drops = False
        elif name == "lost":
            self._on_lost(detail)
        self.changed()

    def _on_lost(self, detail: str) -> None:
        """The session is over: nobody has it any more, or nobody could be reached."""
        if self.is_over:  # by our own doing, a moment ago
            return
        self.is_over = True
        if self.stream is not None:
            self.stream.abort()
        if "item-not-found" in detail:
            self.diary.online("resume-failed", self.full_jid, detail)
        else:
            self.diary.offline("node", detail)

    def on_connect(self, address: Address) -> None:
        """The next connection."""
        self.diary.connecting(address)

    def write(self, stanza: str) -> None:
        """Note a message that goes out."""
        if (found := OWN_MESSAGE.match(stanza)) is not None:
            self.diary.sent(found[1], found[2])
        super().write(stanza)

    def on_acked(self, stanzas: list[str]) -> None:
        """Note the messages among them."""
        self.diary.acked([found[1] for stanza in stanzas
                           if (found := OWN_MESSAGE.match(stanza)) is not None])

    def _on_stanza(self, stanza: ET.Element) -> None:
        if stanza.tag == PRESENCE and stanza.get("type") == "subscribe":
            self.send_presence(stanza.get("from", ""), "subscribed")
        self.diary.got(stanza, self.full_jid)
