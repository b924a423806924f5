"""One session of a device: the XMPP client that keeps XEP-0198 to the letter, with a record of what
it writes, what it gets and what is acknowledged."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from tests.lib.xmpp_client import (CLIENT_NS, IQ, MESSAGE, PRESENCE, ROSTER_NS, Client,
                                   SessionLost, Settings)
from tests.lib.xmpp_stream import Address
from tools.trial.history import (Acked, Bounced, Got, Offline, Online, Operation, PresenceSeen,
                                 PresenceSet, RosterPush, Sent)
from tools.trial.record import Record

# The id of a message is all that the history needs: who sent it, and its number.
MESSAGE_ID = re.compile(r"^<message [^>]*id='([a-z0-9]+)-(\d+)'")
DELAY = "{urn:xmpp:delay}delay"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
ITEM = f"{{{ROSTER_NS}}}item"


@dataclass
class Device:
    """What is the same through all sessions of a device. Its name is letters and digits."""

    name: str
    account: str
    resource: str
    numbers: int = 0           # of messages, given so far
    statuses: int = 0          # of presence, given so far
    full_jid: str = ""         # of the newest session
    nodes: dict[tuple[str, int], int] = field(default_factory=dict)  # where listens which node


class Session(Client):
    """From a login to its end, over any number of connections."""

    def __init__(self, device: Device, record: Record, settings: Settings) -> None:
        super().__init__(settings, self._on_stanza)
        self.device = device
        self.record = record
        self.number = next(record.sessions)
        self.connection = 0
        self.node = 0
        self.is_over = False
        self._began = 0.0
        self._is_up = False
        self._drops = False            # it is our own doing that the connection ends
        self._written: set[int] = set()  # numbers that were on the wire and are not acknowledged

    # ------------------------------------------------------------ acts

    def say(self, to: str) -> None:
        """Send a message with the next number."""
        self.device.numbers += 1
        name = f"{self.device.name}-{self.device.numbers}"
        self.send(f"<message to={quoteattr(to)} id='{name}' type='chat'>"
                  f"<body>{escape(name)}</body></message>")

    def show(self) -> None:
        """Tell all contacts the next status."""
        self.device.statuses += 1
        self._note_status(self.device.statuses, True)
        self.send_presence(inner=f"<status>{self.device.statuses}</status>")

    def drop(self) -> None:
        """Lose the connection, and come back."""
        self._drops = True
        self.break_connection()

    async def log_out(self) -> None:
        """Say good-bye."""
        self._note_status(self.device.statuses, False)
        self.send_presence(kind="unavailable")
        self._end("logout")
        await self.close()

    async def give_up(self) -> None:
        """Throw the session away, and tell nobody."""
        self._end("gave-up")
        await self.vanish()

    def fail(self, why: str) -> None:
        """The login did not come to its end."""
        self.is_over = True
        self._note_down("node", why)
        if self.stream is not None:
            self.stream.abort()

    def _end(self, why: str) -> None:
        """Nobody will hear what is asked still."""
        self._note_down(why)
        self.is_over = True
        for future in self._requests.values():
            if not future.done():
                future.set_exception(SessionLost(why))

    def can_write(self) -> bool:
        """Whether what is sent goes out at once."""
        return self._is_up and not self.is_over

    def _note_status(self, status: int, available: bool) -> None:
        self.record.write(PresenceSet(
            self.record.now(), self.device.name, self.full_jid, status, self.node, self.number,
            self.connection, available))

    def note_operation(self, operation: Operation) -> None:
        """Write down a step of it, with where it was taken."""
        operation.node, operation.session = self.node, self.number
        operation.connection = self.connection
        self.record.write(operation)

    # ------------------------------------------------------------ what the client tells

    def note(self, name: str, detail: str = "") -> None:
        """Into the history instead of a diary."""
        if name in ("bound", "resumed"):
            self._is_up = True
            self.device.full_jid = self.full_jid
            self._note_online("login" if name == "bound" else "resume")
        elif name == "dropped":
            self._note_down("drop" if self._drops else "node", detail)
            self._drops = False
        elif name == "lost":
            self._note_lost(detail)
        self.changed()

    def _note_online(self, how: str, detail: str = "") -> None:
        self.record.write(Online(
            self.record.now(), self.device.name, self.device.account, self.full_jid, self.node,
            how, self.number, self.connection, self._began, detail=detail))

    def _note_down(self, why: str, detail: str = "") -> None:
        if self._is_up or why in ("logout", "gave-up"):
            self._is_up = False
            self.record.write(Offline(
                self.record.now(), self.device.name, self.number, self.connection, why, detail))

    def _note_lost(self, detail: str) -> None:
        """The session is over: nobody has it any more, or nobody could be reached."""
        self.is_over = True
        if self.stream is not None:
            self.stream.abort()
        if "SessionLost('item-not-found')" in detail:
            self._note_online("resume-failed", detail)
        else:
            self._note_down("node", detail)

    def on_connect(self, address: Address) -> None:
        """The next connection."""
        self.connection = next(self.record.connections)
        self.node = self.device.nodes[address.host, address.port]
        self._began = self.record.now()

    def write(self, stanza: str) -> None:
        """Note a message that goes out."""
        if (found := MESSAGE_ID.match(stanza)) is not None:
            number = int(found[2])
            to = stanza.split('to="', 1)[1].split('"', 1)[0]
            self.record.write(Sent(
                self.record.now(), self.device.name, self.device.account, to, number, self.node,
                self.number, self.connection, number in self._written))
            self._written.add(number)
        super().write(stanza)

    def on_acked(self, stanzas: list[str]) -> None:
        """Note the messages among them."""
        numbers = [int(found[2]) for stanza in stanzas
                   if (found := MESSAGE_ID.match(stanza)) is not None]
        if numbers:
            self._written.difference_update(numbers)
            self.record.write(Acked(self.record.now(), self.device.name, numbers, self.node,
                                    self.number, self.connection))

    # ------------------------------------------------------------ what comes in

    def _on_stanza(self, stanza: ET.Element) -> None:
        if stanza.tag == MESSAGE:
            self._on_message(stanza)
        elif stanza.tag == PRESENCE:
            self._on_presence(stanza)
        elif stanza.tag == IQ and stanza.get("type") == "set":
            self._on_push(stanza)

    def _on_message(self, stanza: ET.Element) -> None:
        sender, _, number = stanza.get("id", "").rpartition("-")
        if not sender:
            return
        if stanza.get("type") == "error":
            error = stanza.find(f"{{{CLIENT_NS}}}error")
            names = [] if error is None else [item.tag.split("}")[-1] for item in error]
            self.record.write(Bounced(self.record.now(), sender, int(number), " ".join(names),
                                      self.connection))
            return
        stanza_id, delay = stanza.find(STANZA_ID), stanza.find(DELAY)
        self.record.write(Got(
            self.record.now(), self.device.name, self.device.account, self.full_jid, sender,
            int(number), self.node, self.number, self.connection,
            "" if stanza_id is None else stanza_id.get("id", ""),
            "" if delay is None else delay.get("stamp", "")))

    def _on_presence(self, stanza: ET.Element) -> None:
        kind, source = stanza.get("type"), stanza.get("from", "")
        if kind == "subscribe":
            self.send_presence(source, "subscribed")
        if kind not in (None, "unavailable"):
            return
        status = stanza.findtext(f"{{{CLIENT_NS}}}status", "")
        self.record.write(PresenceSeen(
            self.record.now(), self.device.name, source, self.node, self.number,
            self.connection, kind is None, int(status) if status.isdigit() else 0))

    def _on_push(self, stanza: ET.Element) -> None:
        for item in stanza.iter(ITEM):
            removed = item.get("subscription") == "remove"
            self.record.write(RosterPush(
                self.record.now(), self.device.name, self.device.account, item.get("jid", ""),
                self.node, self.number, self.connection,
                None if removed else item.get("name", "")))
