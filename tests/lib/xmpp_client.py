"""A minimal XMPP client for tests that keeps XEP-0198 to the letter.

It owns the list of stanzas that the server has not acknowledged, counts what it handled, answers
<r/>, asks <r/>, and when its connection breaks resumes on its list of addresses in turn. It hides
nothing: every event of its life is in `events`, every stanza goes to `on_stanza`.
"""

import asyncio
import itertools
import time
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tests.lib.scram import AuthenticationError
from tests.lib.watched import Watched
from tests.lib.xmpp_stream import Address, StreamError, XmppStream

CLIENT_NS = "jabber:client"
SM_NS = "urn:xmpp:sm:3"
BIND_NS = "urn:ietf:params:xml:ns:xmpp-bind"
ROSTER_NS = "jabber:iq:roster"
STANZAS_NS = "urn:ietf:params:xml:ns:xmpp-stanzas"
MESSAGE = f"{{{CLIENT_NS}}}message"
PRESENCE = f"{{{CLIENT_NS}}}presence"
IQ = f"{{{CLIENT_NS}}}iq"
COUNT_MODULUS = 2 ** 32
ATTEMPT_TIMEOUT_S = 3.0
CANCEL_AGAIN_S = 0.1


class SessionLost(Exception):
    """The server does not know the session any more: what it had not acknowledged is unknown."""


class RequestFailed(Exception):
    """An IQ was answered with an error; the text is its condition."""


def is_message(stanza: str) -> bool:
    """Whether a stanza of ours is a message."""
    return stanza.startswith("<message")


@dataclass
class Settings:
    """How a client logs in and behaves."""

    jid: str
    password: str
    addresses: list[Address]
    ca: str | None
    resource: str | None = None
    mechanism: str | None = None
    acks: bool = True
    resumable: bool = True
    window_s: int = 0             # so long may a resume take at most; 0: as the server has it
    ack_every: int = 1            # ask <r/> after so many stanzas
    silence_s: float = 3.0        # a server that owes an answer to <r/> for longer is dead
    resume_deadline_s: float = 60.0
    retry_pause_s: float = 0.02   # before the next address is tried
    follow_location: bool = False


class Client(Watched):
    """One session. start() logs in, send_*() send, close() ends it; between them it resumes."""

    def __init__(self, settings: Settings,
                 on_stanza: Callable[[ET.Element], None] | None = None) -> None:
        super().__init__(settings.jid.split("/")[0])
        self.settings = settings
        self.on_stanza = on_stanza
        self.full_jid = ""
        self.user, self.domain = self.jid.split("@")
        self.acked_messages = 0     # messages that the server acknowledged, in all
        self.resent_messages = 0    # messages sent again after a resume, in all
        self.acks_received = 0      # <a/>, whatever they acknowledge
        self.unacked: deque[str] = deque()
        self.stream: XmppStream | None = None
        self.address: Address | None = None
        self._sm_id = ""
        self._location: Address | None = None
        self._wanted: Address | None = None
        self._handled = 0           # h: inbound stanzas of the session, modulo 2^32
        self._peer_handled = 0      # the last h of the server
        self._writable = False      # stanzas may go out now, not only into the list
        self._since_request = 0
        self._asked_at: float | None = None
        self._requests: dict[str, asyncio.Future[ET.Element]] = {}
        self._ids = itertools.count(1)
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ life

    async def start(self, address: Address | None = None) -> None:
        """Log in at the address (default: the first), bind, enable acks; then read for ever."""
        self.address = address or self.settings.addresses[0]
        await asyncio.wait_for(self._login(self.address), ATTEMPT_TIMEOUT_S * 3)
        self._task = asyncio.create_task(self._run())

    @property
    def resume_id(self) -> str:
        """What a resume of this session has to name (XEP-0198 §5)."""
        return self._sm_id

    async def close(self) -> None:
        """End the session politely."""
        await self._stop()
        if self.stream is not None:
            await self.stream.close()

    async def vanish(self) -> None:
        """Drop the connection without a word and do not come back."""
        await self._stop()
        if self.stream is not None:
            self.stream.abort()

    async def _stop(self) -> None:
        self._writable = False
        while self._task is not None and not self._task.done():
            self._task.cancel()  # wait_for() of Python 3.11 may swallow it: then once more
            await asyncio.wait([self._task], timeout=CANCEL_AGAIN_S)
        self._task = None

    def break_connection(self) -> None:
        """Cut the connection as a network would; the client then resumes by itself."""
        assert self.stream is not None
        self._writable = False
        self.stream.abort()

    def move(self, address: Address) -> None:
        """Cut the connection and resume at this address, while the old node still serves."""
        self._wanted = address
        self.break_connection()

    # ------------------------------------------------------------ connection

    def on_connect(self, address: Address) -> None:
        """For those who inherit: a connection to this address is about to be made."""

    async def _connect(self, address: Address) -> XmppStream:
        self.on_connect(address)
        stream = XmppStream(self.domain, self.settings.ca)
        try:
            await stream.connect(address)
            await stream.authenticate(self.user, self.settings.password, self.settings.mechanism)
        except BaseException:
            stream.abort()
            raise
        return stream

    async def _login(self, address: Address) -> None:
        self.stream = await self._connect(address)
        resource = self.settings.resource
        inner = f"<resource>{escape(resource)}</resource>" if resource else ""
        self.stream.send(f"<iq type='set' id='bind'><bind xmlns='{BIND_NS}'>{inner}</bind></iq>")
        answer = await self.stream.expect(IQ)
        jid = answer.find(f"{{{BIND_NS}}}bind/{{{BIND_NS}}}jid")
        if jid is None or not jid.text:
            raise StreamError(f"bind refused: {ET.tostring(answer).decode()}")
        self.full_jid = jid.text
        self.note("bound", f"{address.host}:{address.port}")
        if self.settings.acks:
            await self._enable(self.stream)
        self._writable = True

    async def _enable(self, stream: XmppStream) -> None:
        window = f" max='{self.settings.window_s}'" if self.settings.window_s else ""
        resume = f" resume='true'{window}" if self.settings.resumable else ""
        stream.send(f"<enable xmlns='{SM_NS}'{resume}/>")
        answer = await stream.receive()
        while answer.tag in (MESSAGE, PRESENCE, IQ):  # a resource is there once it is bound
            self._handle_stanza(answer)
            answer = await stream.receive()
        if answer.tag != f"{{{SM_NS}}}enabled":
            raise StreamError(f"{answer.tag} instead of enabled")
        self._sm_id = answer.get("id", "")
        location = answer.get("location")
        if location and self.settings.follow_location:
            host, _, port = location.rpartition(":")
            self._location = Address(host.strip("[]"), int(port))
        self._handled = self._peer_handled = 0

    async def _run(self) -> None:
        """Read; when the connection breaks, resume."""
        try:
            while True:
                try:
                    await self._read()
                except StreamError as error:
                    self._writable = False
                    assert self.stream is not None
                    self.stream.abort()
                    self.note("dropped", str(error))
                    if not (self._sm_id and self.settings.resumable):
                        raise
                await self._resume()
        except (StreamError, SessionLost, AuthenticationError, TimeoutError) as error:
            self.lost = error
            self.note("lost", repr(error))
            for future in self._requests.values():
                if not future.done():
                    future.set_exception(error)

    async def _read(self) -> None:
        assert self.stream is not None
        while True:
            timeout = self.settings.silence_s  # an <r/> may go out while we wait
            if self._asked_at is not None:
                timeout = max(0.0, self._asked_at + self.settings.silence_s - time.monotonic())
            try:
                element = await asyncio.wait_for(self.stream.receive(), timeout)
            except asyncio.TimeoutError as error:
                if self._asked_at is None or (
                        time.monotonic() < self._asked_at + self.settings.silence_s):
                    continue
                raise StreamError("the server does not answer <r/>") from error
            self._handle(element)

    def _addresses_in_turn(self) -> list[Address]:
        """Where the server said, then from the last used on round."""
        addresses = self.settings.addresses
        begin = addresses.index(self.address) + 1 if self.address in addresses else 0
        turn = addresses[begin:] + addresses[:begin]
        return ([self._location] if self._location else []) + turn

    async def _resume(self) -> None:
        """Where we were told to go is tried first, once, also when we are told meanwhile."""
        deadline = time.monotonic() + self.settings.resume_deadline_s
        turn = itertools.cycle(self._addresses_in_turn())
        while True:
            if time.monotonic() > deadline:
                raise SessionLost(f"no resume within {self.settings.resume_deadline_s} s")
            address, self._wanted = self._wanted or next(turn), None
            try:
                await asyncio.wait_for(self._resume_at(address), ATTEMPT_TIMEOUT_S)
                if self._wanted is None:
                    return
                self.break_connection()
            except (OSError, StreamError, asyncio.TimeoutError) as error:
                self.note("attempt", f"{address.host}:{address.port} {error!r}")
                await asyncio.sleep(self.settings.retry_pause_s)

    async def _resume_at(self, address: Address) -> None:
        stream = await self._connect(address)
        try:
            stream.send(f"<resume xmlns='{SM_NS}' h='{self._handled}' "
                        f"previd={quoteattr(self._sm_id)}/>")
            answer = await stream.receive()
            if answer.tag == f"{{{SM_NS}}}failed":
                self._judge_failed_resume(answer)
            if answer.tag != f"{{{SM_NS}}}resumed" or answer.get("previd") != self._sm_id:
                raise StreamError(f"{answer.tag} to <resume/>")
        except BaseException:
            stream.abort()
            raise
        self.stream, self.address = stream, address
        self.note("resumed", f"{address.host}:{address.port}")
        self._take_ack(int(answer.get("h", "0")))
        self._asked_at = None
        for text in self.unacked:
            self.write(text)
        self.resent_messages += sum(map(is_message, self.unacked))
        self._writable = True
        if self.unacked:
            self._ask()

    def _judge_failed_resume(self, answer: ET.Element) -> None:
        """Only item-not-found is final; anything else may pass with another try."""
        condition = " ".join(item.tag.split("}")[-1] for item in answer)
        if answer.get("h") is not None:
            self._take_ack(int(answer.get("h", "0")))
        if "item-not-found" in condition:
            raise SessionLost(condition)
        raise StreamError(f"resume refused: {condition}")

    # ------------------------------------------------------------ inbound

    def _handle(self, element: ET.Element) -> None:
        if element.tag == f"{{{SM_NS}}}r":
            assert self.stream is not None
            self.stream.send(f"<a xmlns='{SM_NS}' h='{self._handled}'/>")
        elif element.tag == f"{{{SM_NS}}}a":
            self._asked_at = None
            self.acks_received += 1
            self._take_ack(int(element.get("h", "0")))
        elif element.tag in (MESSAGE, PRESENCE, IQ):
            self._handled = (self._handled + 1) % COUNT_MODULUS
            self._handle_stanza(element)
        self.changed()

    def _handle_stanza(self, element: ET.Element) -> None:
        if element.tag == IQ and element.get("type") in ("result", "error"):
            future = self._requests.get(element.get("id", ""))
            if future is not None and not future.done():
                future.set_result(element)
        elif element.tag == IQ:
            self._answer(element)
        if self.on_stanza is not None:
            self.on_stanza(element)

    def _answer(self, iq: ET.Element) -> None:
        """Roster pushes are confirmed, other requests refused (RFC 6120 §8.2.3)."""
        sender = iq.get("from")
        to = f" to={quoteattr(sender)}" if sender else ""
        known = iq.find(f"{{{ROSTER_NS}}}query") is not None
        inner = "" if known else ("<error type='cancel'><service-unavailable "
                                  f"xmlns='{STANZAS_NS}'/></error>")
        kind = "result" if known else "error"
        self.send(f"<iq type='{kind}' id={quoteattr(iq.get('id', ''))}{to}>{inner}</iq>")

    def _take_ack(self, h: int) -> None:
        count = (h - self._peer_handled) % COUNT_MODULUS
        if count > len(self.unacked):
            raise SessionLost(f"h={h} acknowledges {count} stanzas of {len(self.unacked)}")
        acked = [self.unacked.popleft() for _ in range(count)]
        self.acked_messages += sum(map(is_message, acked))
        self._peer_handled = h
        self.on_acked(acked)

    def on_acked(self, stanzas: list[str]) -> None:
        """For those who inherit: the server has acknowledged these, in the order of sending."""

    # ------------------------------------------------------------ outbound

    def send(self, stanza: str) -> None:
        """Send a stanza, now or, while the connection is broken, after the resume."""
        if self.settings.acks:
            self.unacked.append(stanza)
        if not self._writable:
            return
        self.write(stanza)
        self._since_request += 1
        if self.settings.acks and self._since_request >= self.settings.ack_every:
            self._ask()

    def write(self, stanza: str) -> None:
        """Put a stanza on the wire, for the first time or once more."""
        assert self.stream is not None
        self.stream.send(stanza)

    def _ask(self) -> None:
        assert self.stream is not None
        self.stream.send(f"<r xmlns='{SM_NS}'/>")
        self._since_request = 0
        if self._asked_at is None:
            self._asked_at = time.monotonic()

    async def all_acked(self, timeout_s: float = 10.0) -> None:
        """Wait until the server has acknowledged everything that was sent."""
        if self._writable and self.unacked:
            self._ask()
        await self.wait_until(lambda: not self.unacked, timeout_s, "everything acknowledged")

    async def next_ack(self, timeout_s: float) -> None:
        """Ask <r/>, also when there is nothing to acknowledge, and wait for the answer."""
        before = self.acks_received
        self._ask()
        await self.wait_until(lambda: self.acks_received > before, timeout_s, "<a/>")

    def next_id(self) -> str:
        """An id that no other stanza of this client has."""
        return f"t{next(self._ids)}"

    def send_message(self, to: str, body: str, kind: str = "chat") -> None:
        """A message with a body."""
        self.send(f"<message to={quoteattr(to)} type='{kind}' id='{self.next_id()}'>"
                  f"<body>{escape(body)}</body></message>")

    def send_presence(self, to: str = "", kind: str = "", inner: str = "") -> None:
        """Presence of any type, broadcast or directed."""
        attributes = (f" to={quoteattr(to)}" if to else "") + (f" type='{kind}'" if kind else "")
        self.send(f"<presence{attributes}>{inner}</presence>")

    async def request(self, inner: str, kind: str = "get", to: str = "",
                      timeout_s: float = 10.0) -> ET.Element:
        """Send an IQ and wait for its answer; an error raises RequestFailed."""
        request_id = self.next_id()
        future: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        self._requests[request_id] = future
        target = f" to={quoteattr(to)}" if to else ""
        self.send(f"<iq type='{kind}' id='{request_id}'{target}>{inner}</iq>")
        try:
            answer = await asyncio.wait_for(future, timeout_s)
        finally:
            del self._requests[request_id]
        if answer.get("type") == "error":
            error = answer.find(f"{{{CLIENT_NS}}}error")
            names = [] if error is None else [item.tag.split("}")[-1] for item in error]
            raise RequestFailed(" ".join(names))
        return answer

    async def get_roster(self) -> dict[str, str]:
        """Contact -> subscription (none, to, from, both)."""
        answer = await self.request(f"<query xmlns='{ROSTER_NS}'/>")
        return {item.get("jid", ""): item.get("subscription", "none")
                for item in answer.iter(f"{{{ROSTER_NS}}}item")}
