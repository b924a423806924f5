"""One session of a device that is a slixmpp client, and reports. What the library lacks is done
around it (tests/interop/slixmpp_client.py); it resumes at the next node of its list by itself."""

import logging
import xml.etree.ElementTree as ET
from typing import Any

from slixmpp.stanza import Message

from tests.interop.slixmpp_client import SlixmppClient
from tests.lib.xmpp_client import PRESENCE, Settings
from tools.trial.record import Record
from tools.trial.reporter import Device, Reporter

for _name in ("asyncio", "slixmpp"):  # connections that fail are expected
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class SlixSession(SlixmppClient):
    """From a login to its end, over any number of connections."""

    def __init__(self, device: Device, record: Record, settings: Settings) -> None:
        self.device = device
        self.report = Reporter(device, record)
        self.is_over = False
        self._drops = False
        assert settings.ca is not None
        super().__init__(f"{device.account}/{device.resource}", settings.password,
                         settings.addresses, settings.ca)
        self.on_stanza = self._on_stanza
        self.xmpp.add_event_handler("session_end", lambda _: self._on_session_end())

    # ------------------------------------------------------------ acts

    def say(self, to: str) -> None:
        """Send a message with the next number."""
        message = self.xmpp.make_message(mto=to, mbody=self.device.name, mtype="chat")
        message["id"] = self.device.next_message()
        self._send(message)

    def show(self) -> None:
        """Tell all contacts the next status."""
        self.send_presence(pstatus=str(self.report.shows(True)))

    def drop(self) -> None:
        """Lose the connection, and come back."""
        self._drops = True
        self.break_connection()

    async def vanish(self) -> None:
        """Drop the connection without a word and do not come back."""
        self._closing = True
        self.xmpp.abort()

    def fail(self, why: str) -> None:
        """The login did not come to its end."""
        self.is_over = True
        self.report.offline("node", why)
        self._closing = True
        self.xmpp.abort()
        self.xmpp.cancel_connection_attempt()

    def can_write(self) -> bool:
        """Whether what is sent goes out at once."""
        return self.report.is_up and not self.is_over

    # ------------------------------------------------------------ what the client tells

    def note(self, name: str, detail: str = "") -> None:
        """Into the history as well; the diary has only what start() waits for."""
        if name in ("started", "resumed"):
            self.report.online("login" if name == "started" else "resume", self.full_jid)
        elif name == "dropped":
            self.report.offline("drop" if self._drops else "node", detail)
            self._drops = False
        if name in ("enabled", "refused"):
            super().note(name, detail)
        self.changed()

    def _on_session_end(self) -> None:
        """The library gave its session up, whatever the server meant: it is this one's end."""
        self.report.online("resume-failed", self.full_jid)
        self.fail("session end")

    def _connect(self) -> None:
        self.report.connecting(self.addresses[0])
        super()._connect()

    def _record_outgoing(self, stanza: Any) -> Any:
        stanza = super()._record_outgoing(stanza)
        if isinstance(stanza, Message):
            self.report.sent(stanza["id"], str(stanza["to"]))
        return stanza

    def _on_acked(self, stanza: Any) -> None:
        if isinstance(stanza, Message):
            self.report.acked([stanza["id"]])
        super()._on_acked(stanza)

    def _on_stanza(self, stanza: ET.Element) -> None:
        if stanza.tag == PRESENCE and stanza.get("type") == "subscribe":
            self.send_presence(stanza.get("from", ""), "subscribed")
        self.report.got(stanza, self.full_jid)
