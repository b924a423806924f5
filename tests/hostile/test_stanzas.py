"""Well-formed stanzas that are wrong: addresses, kinds, IQ rules, other people's names."""

from tests.hostile.peer import Peer
from tests.hostile.scene import HostileCase

BODY = "<body>x</body>"
LONG = "x" * 1024
ROSTER = "<query xmlns='jabber:iq:roster'>{}</query>"

# Addresses that are none (RFC 7622), as they stand in an attribute.
BAD_ADDRESSES = ["@", "a@", "@b", "a@b/", "a b@example.test", f"{LONG}@example.test",
                 f"a@{LONG}.test", f"a@b/{LONG}", "a@b@c", "a@[::", "a@-", "a&quot;b@example.test",
                 "&#xAD;@example.test", "a@exa mple", "a@b/&#x85;", "..", "a@x..y"]
# What a client may send at any time -> the condition of the stanza error (RFC 6120 8.3.3).
BAD_STANZAS = {
    "<iq type='get'><a xmlns='urn:a'/></iq>": "bad-request",                # no id
    "<iq type='get' id='1'/>": "bad-request",                               # no child
    "<iq type='get' id='2'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>": "bad-request",
    "<iq type='zebra' id='3'><a xmlns='urn:a'/></iq>": "bad-request",
    "<iq id='4'><a xmlns='urn:a'/></iq>": "bad-request",
    "<iq type='get' id='5'><a xmlns='urn:a'/></iq>": "service-unavailable",
    "<iq type='get' id='6' to='elsewhere.test'><a xmlns='urn:a'/></iq>": "remote-server-not-found",
    "<iq type='get' id='7' to='a@elsewhere.test/b'><a xmlns='urn:a'/></iq>":
        "remote-server-not-found",
    f"<iq type='set' id='8'>{ROSTER.format('')}</iq>": "bad-request",
    f"<iq type='set' id='9'>{ROSTER.format('<item/>')}</iq>": "bad-request",
    f"<iq type='set' id='10'>{ROSTER.format('<item jid=%r/>' % 'a b@c')}</iq>": "bad-request",
    "<iq type='set' id='11'>" + ROSTER.format(
        f"<item jid='a@b.test' name='{LONG}'/>") + "</iq>": "not-acceptable",
    "<iq type='set' id='12'>" + ROSTER.format(
        "<item jid='a@b.test'>" + "".join(f"<group>{n}</group>" for n in range(100))
        + "</item>") + "</iq>": "not-acceptable",
    "<presence type='zebra' id='13'/>": "bad-request",
    "<presence type='subscribe' id='14'/>": "bad-request",
    "<presence id='15'><priority>1000</priority></presence>": "bad-request",
    f"<message to='a@elsewhere.test' id='16'>{BODY}</message>": "remote-server-not-found",
    f"<message to='nobody@example.test' id='17'>{BODY}</message>": "service-unavailable",
    # all sessions of a user show their presence to all of its contacts: STATE_PRESENCE_BYTES_MAX
    f"<presence id='18'><status>{16 * LONG}</status></presence>": "policy-violation",
}


class Stanzas(HostileCase):
    """RFC 6120 section 8; the stream of the sender goes on unless the RFC says otherwise."""

    async def _refused(self, peer: Peer, text: str) -> str:
        """Send a stanza that must be answered by an error; its condition."""
        peer.send(text)
        answer = await peer.receive()
        error = answer.find("{jabber:client}error")
        self.assertEqual("error", answer.get("type"), text[:100])
        assert error is not None
        return error[0].tag.split("}")[-1]

    async def test_bad_stanzas(self) -> None:
        """Each is answered by its stanza error, on a stream that goes on."""
        peer = await self.bound()
        for text, condition in BAD_STANZAS.items():
            with self.subTest(text[:120]):
                self.assertEqual(condition, await self._refused(peer, text))
        await peer.close()

    async def test_bad_addresses(self) -> None:
        """A to that is no address is answered with jid-malformed (8.3.3.8), by every kind."""
        peer = await self.bound()
        for address in BAD_ADDRESSES:
            for text in (f"<message to='{address}'>{BODY}</message>",
                         f"<presence to='{address}'/>",
                         f"<iq type='get' id='1' to='{address}'><a xmlns='urn:a'/></iq>"):
                with self.subTest(text[:120]):
                    self.assertEqual("jid-malformed", await self._refused(peer, text))
        await peer.close()

    async def test_bad_resources(self) -> None:
        """A resource that PRECIS refuses cannot be bound (7.7.2.1)."""
        peer = await self.peer().log_in(self.address(), *self.account())
        for resource in ("&#xAD;", "&#x85;", "x" * 1024):
            peer.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                      f"<resource>{resource}</resource></bind></iq>")
            answer = await peer.receive()
            self.assertEqual("error", answer.get("type"), ascii(resource))
        peer.abort()

    async def test_spoofed_from(self) -> None:
        """A from that is not the sender's ends the stream with invalid-from (4.9.3.9)."""
        victim, other = self.bystanders
        for address in (other.full_jid, other.jid, "example.test", "a b@c", "root@example.test"):
            peer = await self.bound()
            peer.send(f"<message from='{address}' to='{victim.jid}' type='chat'>"
                      "<body>number 1</body></message>")
            self.assertEqual(["error invalid-from", "end"], await peer.last_words())

    async def test_errors_are_not_answered(self) -> None:
        """An error or a result with a bad address is swallowed, or errors play tennis (8.3.1)."""
        peer = await self.bound()
        for text in ("<message type='error' to='a@'/>", "<presence type='error' to='a@'/>",
                     "<iq type='error' id='1' to='a@'/>", "<iq type='result' id='2' to='a@'/>",
                     "<iq type='result' id='3'/>"):
            peer.send(text)
        self.assertEqual("iq error", await peer.answer("<iq type='get' id='last'/>"))
        peer.abort()

    async def test_forged_stanza_id(self) -> None:
        """A stanza-id in the server's name does not get through (XEP-0359 section 5)."""
        peer = await self.peer().log_in(self.address(), *self.account())
        other = await peer.bind()
        peer.send(f"<message to='{other}'><body>x</body>"
                  f"<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='{other.split('/')[0]}'/>"
                  "</message>")
        ids = [item.get("id") for item in await peer.receive()
               if item.tag == "{urn:xmpp:sid:0}stanza-id"]
        self.assertEqual(1, len(ids))
        self.assertNotEqual("1", ids[0])
        peer.abort()
