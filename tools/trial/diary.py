"""What a session of any client tells the history: where it is, what it wrote, what it got."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from tests.lib.xmpp_client import CLIENT_NS, IQ, MESSAGE, PRESENCE, ROSTER_NS
from tests.lib.xmpp_stream import Address
from tools.trial.history import (Acked, Bounced, Got, Offline, Online, Operation, PresenceSeen,
                                 PresenceSet, RosterPush, Sent)
from tools.trial.record import Record

# The id of a message is all that the history needs: who sent it, and its number.
MESSAGE_ID = re.compile(r"([a-z]+\d+)-(\d+)")
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

    def next_message(self) -> str:
        """The id of the next message."""
        self.numbers += 1
        return f"{self.name}-{self.numbers}"


class Diary:
    """Of one session, over all its connections."""

    def __init__(self, device: Device, record: Record) -> None:
        self.device = device
        self.record = record
        self.session = next(record.sessions)
        self.connection = 0
        self.node = 0
        self.is_up = False
        self._began = 0.0
        self._written: set[int] = set()  # numbers that were on the wire and are not acknowledged

    # ------------------------------------------------------------ connections

    def connecting(self, address: Address) -> None:
        """The next connection is about to be made."""
        self.connection = next(self.record.connections)
        self.node = self.device.nodes[address.host, address.port]
        self._began = self.record.now()

    def online(self, how: str, jid: str, detail: str = "") -> None:
        """It has a session, or was told that there is none."""
        if how != "resume-failed":
            self.is_up = True
            self.device.full_jid = jid
        self.record.write(Online(
            self.record.now(), self.device.name, self.device.account, jid, self.node, how,
            self.session, self.connection, self._began, detail=detail))

    def offline(self, why: str, detail: str = "") -> None:
        """The connection is no more. What its owner does to a session is told in any case."""
        if self.is_up or why in ("logout", "gave-up"):
            self.is_up = False
            self.record.write(Offline(self.record.now(), self.device.name, self.session,
                                      self.connection, why, detail))

    # ------------------------------------------------------------ acts

    def sent(self, message_id: str, to: str) -> None:
        """A message goes out."""
        number = _number(message_id)
        self.record.write(Sent(
            self.record.now(), self.device.name, self.device.account, to, number, self.node,
            self.session, self.connection, number in self._written))
        self._written.add(number)

    def acked(self, message_ids: list[str]) -> None:
        """The server has these."""
        numbers = [_number(one) for one in message_ids]
        self._written.difference_update(numbers)
        if numbers:
            self.record.write(Acked(self.record.now(), self.device.name, numbers, self.node,
                                    self.session, self.connection))

    def shows(self, available: bool) -> int:
        """Presence goes out; returns the status to put into it."""
        self.device.statuses += available
        self.record.write(PresenceSet(
            self.record.now(), self.device.name, self.device.full_jid, self.device.statuses,
            self.node, self.session, self.connection, available))
        return self.device.statuses

    def operation(self, operation: Operation) -> None:
        """A step of it, with where it was taken."""
        operation.node, operation.session = self.node, self.session
        operation.connection = self.connection
        self.record.write(operation)

    # ------------------------------------------------------------ what comes in

    def got(self, stanza: ET.Element, jid: str) -> None:
        """Any stanza."""
        if stanza.tag == MESSAGE:
            self._got_message(stanza, jid)
        elif stanza.tag == PRESENCE:
            self._got_presence(stanza)
        elif stanza.tag == IQ and stanza.get("type") == "set":
            self._got_push(stanza)

    def _got_message(self, stanza: ET.Element, jid: str) -> None:
        name = MESSAGE_ID.fullmatch(stanza.get("id", ""))
        if name is None:
            return
        if stanza.get("type") == "error":
            error = stanza.find(f"{{{CLIENT_NS}}}error")
            names = [] if error is None else [item.tag.split("}")[-1] for item in error]
            self.record.write(Bounced(self.record.now(), name[1], int(name[2]), " ".join(names),
                                      self.connection))
            return
        stanza_id, delay = stanza.find(STANZA_ID), stanza.find(DELAY)
        self.record.write(Got(
            self.record.now(), self.device.name, self.device.account, jid, name[1], int(name[2]),
            self.node, self.session, self.connection,
            "" if stanza_id is None else stanza_id.get("id", ""),
            "" if delay is None else delay.get("stamp", "")))

    def _got_presence(self, stanza: ET.Element) -> None:
        kind = stanza.get("type")
        if kind in (None, "unavailable"):
            status = stanza.findtext(f"{{{CLIENT_NS}}}status", "")
            self.record.write(PresenceSeen(
                self.record.now(), self.device.name, stanza.get("from", ""), self.node,
                self.session, self.connection, kind is None,
                int(status) if status.isdigit() else 0))

    def _got_push(self, stanza: ET.Element) -> None:
        for item in stanza.iter(ITEM):
            removed = item.get("subscription") == "remove"
            self.record.write(RosterPush(
                self.record.now(), self.device.name, self.device.account, item.get("jid", ""),
                self.node, self.session, self.connection,
                None if removed else item.get("name", "")))


def _number(message_id: str) -> int:
    return int(message_id.rpartition("-")[2])
