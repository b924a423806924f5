"""slixmpp as a test client, unpatched, with what its version 1.8.3 lacks done around it.

It forgets its unacknowledged stanzas when it sends <resume/>: an own list gives them back to its
plugin before that handles <resumed/>. It loses stanzas that wait in its queue when the connection
ends, and puts those sent afterwards in front of those to be sent again: both are held back here
until the session goes on. It asks <r/> before a stanza, not behind: all_acked() asks for the last.
It has one address: the next of the list is set here when a connection ends or fails.
"""

import asyncio
import time
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable
from typing import Any

import slixmpp
from slixmpp.plugins.xep_0198 import stanza as sm
from slixmpp.stanza import Iq, Message, Presence
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from tests.lib.watched import Watched
from tests.lib.xmpp_stream import Address

LOGIN_TIMEOUT_S = 10.0
ASK_AGAIN_S = 0.5
PLUGINS = ["xep_0030", "xep_0092", "xep_0115", "xep_0199", "xep_0202", "xep_0203", "xep_0359"]


class SlixmppClient(Watched):
    """A slixmpp session that resumes on a list of addresses in turn."""

    def __init__(self, jid: str, password: str, addresses: list[Address], ca: str,
                 mechanism: str | None = None) -> None:
        super().__init__(jid.split("/")[0])
        self.on_stanza: Callable[[ET.Element], None] | None = None
        self.acked_messages = 0
        self.resent_messages = 0
        self.addresses = deque(addresses)
        self.xmpp = slixmpp.ClientXMPP(jid, password, sasl_mech=mechanism)
        self._unacked: deque[tuple[int, Any]] = deque()
        self._held: list[Any] = []    # by us, while there is no session
        self._caught: list[Any] = []  # in slixmpp's queue when it ended: older than those held
        self._online = False
        self._closing = False
        self._prepare(ca)

    def _prepare(self, ca: str) -> None:
        xmpp = self.xmpp
        xmpp.ca_certs = ca
        xmpp.auto_authorize = None
        xmpp.auto_subscribe = False
        # Before the plugin registers its own handler of <resumed/>, so that this runs first.
        xmpp.register_handler(Callback("own list", MatchXPath(sm.Resumed.tag_name()),
                                       self._give_back_unacked, instream=True))
        for name in PLUGINS:
            xmpp.register_plugin(name)
        xmpp.register_plugin("xep_0198", {"window": 1})
        xmpp.add_filter("out_sync", self._record_outgoing)
        xmpp.add_filter("in", self._show_incoming)
        xmpp.add_event_handler("session_start", lambda _: self._go_on("started"))
        xmpp.add_event_handler("session_resumed", lambda _: self._go_on("resumed"))
        xmpp.add_event_handler("sm_enabled", lambda _: self.note("enabled"))
        xmpp.add_event_handler("stanza_acked", self._on_acked)
        xmpp.add_event_handler("disconnected", self._on_disconnected)
        xmpp.add_event_handler("connection_failed", self._on_connection_failed)
        xmpp.add_event_handler("failed_all_auth", lambda _: self.note("refused"))

    # ------------------------------------------------------------ life

    @property
    def full_jid(self) -> str:
        """As the server bound it."""
        return str(self.xmpp.boundjid)

    @property
    def address(self) -> Address:
        """The address in use."""
        return self.addresses[0]

    async def start(self) -> None:
        """Log in at the first address, with acks and resumption; no presence is sent."""
        self._connect()
        await self.wait_until(lambda: self._online and self.event_count("enabled") > 0
                              or self.event_count("refused") > 0, LOGIN_TIMEOUT_S, "login")
        if self.event_count("refused"):
            raise PermissionError("no mechanism was accepted")

    async def close(self) -> None:
        """End the session politely."""
        self._closing = True
        await self.xmpp.disconnect(wait=1.0)

    def acknowledge(self) -> None:
        """Tell the server what has come, though it has not asked."""
        self.xmpp["xep_0198"].send_ack()

    def break_connection(self) -> None:
        """Cut the connection as a network would."""
        self.xmpp.abort()

    def _connect(self) -> None:
        address = self.addresses[0]
        self.xmpp.connect((address.host, address.port), use_ssl=address.direct)

    def _on_disconnected(self, reason: Any) -> None:
        self._online = False
        self._hold_queue()
        self.note("dropped", str(reason))
        if not self._closing:
            self.addresses.rotate(-1)
            asyncio.get_running_loop().call_soon(self._connect)

    def _hold_queue(self) -> None:
        """Take back what waits in slixmpp's queue, before anything newer is held back."""
        queue = self.xmpp.waiting_queue
        while not queue.empty():
            stanza, _ = queue.get_nowait()
            queue.task_done()
            if isinstance(stanza, (Message, Presence, Iq)):
                self._held.append(stanza)

    def _on_connection_failed(self, reason: Any) -> None:
        self.note("attempt", str(reason))
        self.addresses.rotate(-1)
        # After slixmpp has planned its own attempt, which waits long: ours replaces it.
        asyncio.get_running_loop().call_soon(self._connect)

    def _go_on(self, name: str) -> None:
        self._online = True
        self.note(name, f"{self.address.host}:{self.address.port}")
        held = self._caught + self._held
        self._caught, self._held = [], []
        for stanza in held:
            self.xmpp.send(stanza)

    # ------------------------------------------------------------ the own list

    def _record_outgoing(self, stanza: Any) -> Any:
        plugin = self.xmpp["xep_0198"]
        if not isinstance(stanza, (Message, Presence, Iq)):
            return stanza
        if plugin.enabled_out:
            self._unacked.append((plugin.seq, stanza))
        elif self.event_count("enabled") > 0:
            self._caught.append(stanza)
            return None
        return stanza

    def _on_acked(self, stanza: Any) -> None:
        while self._unacked and self._unacked[0][1] is not stanza:
            self._unacked.popleft()
        if self._unacked:
            self._unacked.popleft()
        self.acked_messages += isinstance(stanza, Message)
        self.changed()

    def _give_back_unacked(self, resumed: Any) -> None:
        plugin = self.xmpp["xep_0198"]
        plugin.unacked_queue.clear()
        plugin.unacked_queue.extend(self._unacked)
        again = list(self._unacked)[resumed["h"] - plugin.last_ack:]
        self.resent_messages += sum(isinstance(stanza, Message) for _, stanza in again)

    def _show_incoming(self, stanza: Any) -> Any:
        if self.on_stanza is not None and isinstance(stanza, (Message, Presence, Iq)):
            self.on_stanza(stanza.xml)
        self.changed()
        return stanza

    # ------------------------------------------------------------ sending

    def _send(self, stanza: Any) -> None:
        if self._online:
            self.xmpp.send(stanza)
        else:
            self._held.append(stanza)

    def send_message(self, to: str, body: str, kind: str = "chat") -> None:
        """A message with a body."""
        self._send(self.xmpp.make_message(mto=to, mbody=body, mtype=kind))

    def send_presence(self, to: str = "", kind: str = "", **fields: Any) -> None:
        """Presence of any type; fields as slixmpp names them (pshow, pstatus, ppriority)."""
        self._send(self.xmpp.make_presence(pto=to or None, ptype=kind or None, **fields))

    async def all_acked(self, timeout_s: float = 10.0) -> None:
        """Wait until the server has acknowledged everything that was sent."""
        deadline = time.monotonic() + timeout_s
        while not self._is_all_acked():
            if self._online:
                self.xmpp["xep_0198"].request_ack()
            try:
                await self.wait_until(self._is_all_acked, ASK_AGAIN_S, "acknowledgement")
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise

    def _is_all_acked(self) -> bool:
        return (self._online and not self._held and not self._caught
                and not self._unacked
                and self.xmpp.waiting_queue.empty())

    async def get_roster(self) -> dict[str, str]:
        """Contact -> subscription."""
        answer = await self.xmpp.get_roster()
        return {str(jid): item["subscription"] for jid, item in answer["roster"]["items"].items()}
