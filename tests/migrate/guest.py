"""A user of another server, by slixmpp: makes what is to be moved."""

import asyncio
import xml.etree.ElementTree as ET
from typing import Any

import slixmpp

TIMEOUT_S = 15.0
Roster = dict[str, tuple[str, str, str, tuple[str, ...]]]


class Guest:
    """One session without TLS, on loopback."""

    def __init__(self, jid: str, password: str) -> None:
        self.jid = jid
        self.xmpp = slixmpp.ClientXMPP(jid, password)
        self.xmpp.auto_authorize = None
        self.xmpp.auto_subscribe = False
        for name in ("xep_0049", "xep_0054"):
            self.xmpp.register_plugin(name)
        self.asked: list[str] = []
        self._online: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        self.xmpp.add_event_handler("session_start", lambda _: self._online.set_result(None))
        self.xmpp.add_event_handler("presence_subscribe", self._on_asked)
        self.xmpp.add_event_handler("roster_update", lambda _: self._changed.set())

    async def start(self, address: tuple[str, int]) -> None:
        """Log in, ask for the roster, be available."""
        self.xmpp.connect(address, disable_starttls=True, force_starttls=False)
        await asyncio.wait_for(self._online, TIMEOUT_S)
        await self.xmpp.get_roster()
        self.xmpp.send_presence()

    async def close(self) -> None:
        """End the session; what was sent before is with the server."""
        await self.xmpp.plugin["xep_0054"].get_vcard(cached=False)  # answered in its order
        await self.xmpp.disconnect(wait=TIMEOUT_S)

    def _on_asked(self, presence: Any) -> None:
        self.asked.append(presence["from"].bare)
        self._changed.set()

    async def until(self, condition: Any, what: str) -> None:
        """Wait for something that comes with a roster push or a request."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
        assert condition(), what

    async def set_contact(self, jid: str, name: str, groups: list[str]) -> None:
        """Name a contact."""
        iq = self.xmpp.Iq()
        iq["type"] = "set"
        iq["roster"]["items"] = {jid: {"name": name, "groups": groups}}
        await iq.send(timeout=TIMEOUT_S)

    async def set_vcard(self, name: str) -> None:
        """Publish a vCard."""
        vcard = self.xmpp.plugin["xep_0054"].make_vcard()
        vcard["FN"] = name
        await self.xmpp.plugin["xep_0054"].publish_vcard(vcard=vcard)

    async def set_private(self, element: str) -> None:
        """Keep a private element."""
        iq = self.xmpp.make_iq_set()
        query = ET.SubElement(iq.xml, "{jabber:iq:private}query")
        query.append(ET.fromstring(element))
        await iq.send(timeout=TIMEOUT_S)

    async def roster(self) -> Roster:
        """Contact -> name, subscription, ask, groups, as the server has it now."""
        iq = self.xmpp.Iq()
        iq["type"] = "get"
        iq.enable("roster")
        items = (await iq.send(timeout=TIMEOUT_S))["roster"]["items"]
        return {str(jid): (item["name"], item["subscription"], item["ask"] or "",
                           tuple(sorted(item["groups"]))) for jid, item in items.items()}


async def befriend(one: Guest, other: Guest) -> None:
    """Each sees the other's presence."""
    for asker, asked in ((one, other), (other, one)):
        asker.xmpp.send_presence(pto=asked.jid, ptype="subscribe")
        await asked.until(lambda asked=asked, asker=asker: asker.jid in asked.asked, "a request")
        asked.xmpp.send_presence(pto=asker.jid, ptype="subscribed")
        await asker.until(lambda asker=asker, asked=asked: asker.xmpp.client_roster[asked.jid]
                          ["subscription"] in ("to", "both"), "a subscription")
