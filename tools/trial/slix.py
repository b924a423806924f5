"""One session of a device that is a slixmpp client, with a diary. What the library lacks is done
around it (tests/interop/slixmpp_client.py); it resumes at the next node of its list by itself. A
node that says nothing is left: the library alone would wait for it for ever."""

import asyncio
import time
import xml.etree.ElementTree as ET
from typing import Any

from slixmpp.stanza import Message

from tests.interop.slixmpp_client import SlixmppClient
from tests.lib.xmpp_client import PRESENCE, Settings
from tools.trial.diary import Device, Diary
from tools.trial.record import Record

LOOK_S = 0.5
SILENCE_S = 4.0    # a node that acknowledges nothing for longer is dead
ATTEMPT_S = 6.0    # a login or resume that takes longer is given up


class SlixSession(SlixmppClient):
    """From a login to its end, over any number of connections."""

    def __init__(self, device: Device, record: Record, settings: Settings) -> None:
        self.device = device
        self.diary = Diary(device, record)
        self.is_over = False
        self._drops = False
        self._had_session = False
        self._heard_at = 0.0   # when the node was last heard, or had nothing to say
        self._tried_at = 0.0
        self._watch: asyncio.Task[None] | None = None
        assert settings.ca is not None
        super().__init__(f"{device.account}/{device.resource}", settings.password,
                         settings.addresses, settings.ca)
        self.on_stanza = self._on_stanza
        self.xmpp.add_event_handler("session_end", lambda _: self._on_session_end())

    async def start(self) -> None:
        """Log in at the first address."""
        self._watch = asyncio.create_task(self._leave_silent_nodes())
        await super().start()

    async def _leave_silent_nodes(self) -> None:
        while not self._closing:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            if not self._unacked or not self.diary.is_up:
                self._heard_at = now
            else:
                self.xmpp["xep_0198"].request_ack()
            if self.diary.is_up and now > self._heard_at + SILENCE_S:
                self.break_connection()
            elif not self.diary.is_up and now > self._tried_at + ATTEMPT_S:
                self._try_next()

    def _try_next(self) -> None:
        """Whatever is under way comes to nothing."""
        self.xmpp.cancel_connection_attempt()
        if self.xmpp.transport:
            self.break_connection()  # and goes on when that is done
        else:
            self.addresses.rotate(-1)
            self._connect()

    # ------------------------------------------------------------ acts

    def say(self, to: str) -> None:
        """Send a message with the next number."""
        message = self.xmpp.make_message(mto=to, mbody=self.device.name, mtype="chat")
        message["id"] = self.device.next_message()
        self._send(message)

    def show(self) -> None:
        """Tell all contacts the next status."""
        self.send_presence(pstatus=str(self.diary.shows(True)))

    def drop(self) -> None:
        """Lose the connection, and come back."""
        self._drops = True
        self.break_connection()

    async def vanish(self) -> None:
        """Drop the connection without a word and do not come back."""
        self._close()

    async def fail(self, why: str) -> None:
        """The login did not come to its end: what there is of a session is thrown away."""
        self._end(why)

    def _end(self, why: str) -> None:
        self.is_over = True
        self.diary.offline("gave-up", why)
        self._close()

    def break_connection(self) -> None:
        """Cut the connection as a network would."""
        try:
            self.xmpp.abort()
        except AttributeError:  # of asyncio: a TLS connection is closing by itself just now
            pass

    def _close(self) -> None:
        self._closing = True
        self.break_connection()
        self.xmpp.cancel_connection_attempt()

    def can_write(self) -> bool:
        """Whether what is sent goes out at once."""
        return self.diary.is_up and not self.is_over

    # ------------------------------------------------------------ what the client tells

    def note(self, name: str, detail: str = "") -> None:
        """Into the history as well; the diary has only what start() waits for."""
        if name in ("started", "resumed"):
            self._had_session = True
            self.diary.online("login" if name == "started" else "resume", self.full_jid)
        elif name == "dropped":
            self.diary.offline("drop" if self._drops else "node", detail)
            self._drops = False
        if name in ("enabled", "refused"):
            super().note(name, detail)
        self.changed()

    def _on_session_end(self) -> None:
        """The library gave its session up, whatever the server meant: it is this one's end."""
        if self._had_session:
            self.diary.online("resume-failed", self.full_jid)
            self._end("session end")

    def _connect(self) -> None:
        self._tried_at = time.monotonic()
        self.diary.connecting(self.addresses[0])
        super()._connect()

    def _record_outgoing(self, stanza: Any) -> Any:
        stanza = super()._record_outgoing(stanza)
        if isinstance(stanza, Message):
            self.diary.sent(stanza["id"], str(stanza["to"]))
        return stanza

    def _on_acked(self, stanza: Any) -> None:
        self._heard_at = time.monotonic()
        if isinstance(stanza, Message):
            self.diary.acked([stanza["id"]])
        super()._on_acked(stanza)

    def _on_stanza(self, stanza: ET.Element) -> None:
        if stanza.tag == PRESENCE and stanza.get("type") == "subscribe":
            self.send_presence(stanza.get("from", ""), "subscribed")
        self.diary.got(stanza, self.full_jid)
