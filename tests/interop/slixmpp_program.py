"""slixmpp as a small program uses it: it logs in once and leaves all that follows to the library.

What the library does by itself can be seen here, and nothing else: no list of addresses, no list
of stanzas. The program may ask to be told of other hosts and go there on its own.
"""

from typing import Any

import slixmpp

from tests.lib.watched import Watched
from tests.lib.xmpp_stream import Address

LOGIN_TIMEOUT_S = 10.0
TELL_ME = -1  # of redirects that the library may follow: it follows none, and only tells


class _Xmpp(slixmpp.ClientXMPP):
    """A DNS of ours answers for the domain, with all that it knows in this order."""

    records: list[Address]

    async def get_dns_records(self, domain: str,
                              port: int | None = None) -> list[tuple[str, str, int]]:
        """Records of the domain; any other name is not looked up."""
        if domain != self.boundjid.host:
            return []
        return [(domain, record.host, record.port) for record in self.records]


class SlixmppProgram(Watched):
    """One session; the diary says where slixmpp goes ("tries"), and what it hears ("told")."""

    def __init__(self, jid: str, password: str, records: list[Address], ca: str,
                 acks: bool = False, follows: bool = False) -> None:
        super().__init__(jid.split("/")[0])
        self.xmpp = _Xmpp(jid, password)
        self.xmpp.records = records
        self.xmpp.ca_certs = ca
        self.xmpp.auto_authorize = None
        self.xmpp.auto_subscribe = False
        self._follows = follows
        self._told: tuple[str, int] | None = None
        if acks:
            self.xmpp.register_plugin("xep_0198")
        if follows:
            self.xmpp.max_redirects = TELL_ME
            self.xmpp.add_event_handler("disconnected", self._go_where_told)
        self.xmpp.add_event_handler("connecting", lambda _: self._note_address())
        self.xmpp.add_event_handler("stream_error", self._on_stream_error)
        self.xmpp.add_event_handler("session_start", self._on_session_start)
        self.xmpp.add_event_handler("disconnected", lambda why: self.note("dropped", str(why)))
        self.xmpp.add_event_handler("message", lambda stanza: self.note("message", stanza["body"]))

    def connect(self, address: Address) -> None:
        """Go to an address."""
        self.xmpp.connect((address.host, address.port))

    async def online(self, times: int = 1) -> None:
        """Wait until it is logged in, so often."""
        await self.wait_until(lambda: self.event_count("started") >= times, LOGIN_TIMEOUT_S,
                              f"login {times}")

    async def close(self) -> None:
        """End the session politely; slixmpp may be trying to get somewhere meanwhile."""
        self._told = None
        await self.xmpp.disconnect(wait=1.0)
        self.xmpp.cancel_connection_attempt()

    def details(self, name: str) -> list[str]:
        """What the diary says of all events of a name."""
        return [event.detail for event in self.events if event.name == name]

    def _note_address(self) -> None:
        host, port = self.xmpp.address
        self.note("tries", f"{host}:{port}")

    def _on_stream_error(self, error: Any) -> None:
        where = error["see_other_host"]
        self.note("told", f"{error['condition']} {where}".strip())
        if where:
            host, _, port = where.rpartition(":")
            self._told = (host, int(port))
        if self._follows and not self.xmpp.is_connected():  # the end of the stream was first
            self._go_where_told(None)

    def _on_session_start(self, _: Any) -> None:
        self.xmpp.send_presence()
        self.note("started")

    def _go_where_told(self, _: Any) -> None:
        if self._told is not None:
            self.xmpp.connect(self._told)
            self._told = None
