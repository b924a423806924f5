"""SASL, bind and resume against the rules: wrong, forged, twice, too early."""

import asyncio
import base64
import time

from tests.hostile.peer import header
from tests.hostile.scene import PASSWORD, HostileCase
from tests.lib.scram import plain
from tests.lib.xmpp_client import BIND_NS, SM_NS
from tests.lib.xmpp_stream import SASL_NS, TLS_NS

AUTH_FAILURES_MAX = 4
ITERATIONS_MAX = 1_000_000  # of imported keys
COSTLY_PEERS = 16
COSTLY_TIMEOUT_S = 60.0
ANSWER_S_MAX = 1.5  # a worker that checked them itself would be away for several
BIND_FAILURES_MAX = 6
FAILURES_MAX = 100  # of an address, at once; and this:
FORGIVEN_PER_S = 1
LOGIN_PAUSE_S = 4.0  # a little less than it is
GUESSER = "127.0.0.7"


def auth(mechanism: str, text: str) -> str:
    """An <auth/> with any content."""
    return f"<auth xmlns='{SASL_NS}' mechanism='{mechanism}'>{text}</auth>"


def encoded(text: str | bytes) -> str:
    """In base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


# What follows the features -> the condition of the SASL failure (RFC 6120 section 6.5).
BAD_AUTH = {
    auth("PLAIN", "!!!"): "incorrect-encoding",
    auth("PLAIN", "AAA"): "incorrect-encoding",
    auth("PLAIN", encoded("\0\0")): "malformed-request",
    auth("PLAIN", encoded("no separators")): "malformed-request",
    auth("PLAIN", encoded("\0mallory\0wrong")): "not-authorized",
    auth("PLAIN", encoded("\0nobody\0" + PASSWORD)): "not-authorized",
    auth("PLAIN", encoded("other\0mallory\0" + PASSWORD)): "invalid-authzid",
    auth("PLAIN", encoded(b"\0\xff\xfe\0x")): "malformed-request",
    auth("X-UNHEARD-OF", "="): "invalid-mechanism",
    auth("", ""): "invalid-mechanism",
    f"<auth xmlns='{SASL_NS}'/>": "invalid-mechanism",
    auth("SCRAM-SHA-256", encoded("garbage")): "malformed-request",
    auth("SCRAM-SHA-256", encoded("n,,n=a,r=")): "malformed-request",
    auth("SCRAM-SHA-256", encoded("p=tls-unique,,n=a,r=abc")): "malformed-request",
    auth("SCRAM-SHA-256", encoded("n,,m=x,n=a,r=abc")): "malformed-request",
    f"<response xmlns='{SASL_NS}'>AAAA</response>": "malformed-request",
    f"<abort xmlns='{SASL_NS}'/>": "aborted",
    f"<zebra xmlns='{SASL_NS}'/>": "malformed-request",
}
BAD_FINALS = ["c=biws,r={nonce},p=AAAA", "c=biws,r=other,p=AAAA", "garbage", "c=,r=,p="]


class Login(HostileCase):
    """RFC 6120 sections 5 to 7, XEP-0198 section 5."""

    async def test_bad_auth(self) -> None:
        """Every wrong <auth/> gets its condition, and the next try on the stream may succeed."""
        for text, condition in BAD_AUTH.items():
            with self.subTest(text):
                peer = await self.stranger()
                await peer.open()
                self.assertEqual(f"failure {condition}", await peer.answer(text))
                self.assertEqual("success", await peer.answer(
                    auth("PLAIN", encoded(plain(*self.account())))))
                peer.abort()

    async def test_bad_scram_proof(self) -> None:
        """A wrong final message fails like a wrong password, for those who exist and others."""
        for user in (self.account()[0], "nobody"):
            for final in BAD_FINALS:
                peer = await self.stranger()
                await peer.open()
                challenge = await peer.ask(auth("SCRAM-SHA-256", encoded(f"n,,n={user},r=abc")),
                                           f"{{{SASL_NS}}}challenge")
                nonce = base64.b64decode(challenge.text or "").decode().split(",")[0][2:]
                answer = await peer.answer(f"<response xmlns='{SASL_NS}'>"
                                           f"{encoded(final.format(nonce=nonce))}</response>")
                self.assertIn(answer, ("failure not-authorized", "failure malformed-request"))
                peer.abort()

    async def test_too_many_failures(self) -> None:
        """After some failures the stream ends with a policy violation (section 6.4.5)."""
        user, _ = self.account()
        peer = await self.stranger()
        await peer.open()
        wrong = auth("PLAIN", encoded(f"\0{user}\0wrong"))
        for _ in range(AUTH_FAILURES_MAX - 1):
            self.assertEqual("failure not-authorized", await peer.answer(wrong))
        peer.send(wrong)
        self.assertEqual(["failure not-authorized", "error policy-violation", "end"],
                         await peer.last_words())

    async def test_guessing(self) -> None:
        """An address from which many logins failed waits before each further one, right or wrong;
        others do not."""
        user, _ = self.account()
        begin = time.monotonic()
        failures = 0

        def allowed() -> float:
            return FAILURES_MAX + (time.monotonic() - begin) * FORGIVEN_PER_S

        while failures <= allowed() + AUTH_FAILURES_MAX:
            peer = await self.peer().secure(self.address(), GUESSER)
            await peer.open()
            peer.send(auth("PLAIN", encoded(f"\0{user}\0wrong")) * AUTH_FAILURES_MAX)
            if await self._login_s(GUESSER) > LOGIN_PAUSE_S:
                break
            self.assertIn("error policy-violation", await peer.last_words())
            failures += AUTH_FAILURES_MAX
        else:
            self.fail("guessing goes on")
        self.assertLess(await self._login_s("127.0.0.1"), LOGIN_PAUSE_S)

    async def _login_s(self, source: str) -> float:
        """How long a right password takes to be accepted."""
        peer = await self.peer().secure(self.address(), source)
        await peer.open()
        begin = time.monotonic()
        self.assertEqual("success", await peer.answer(
            auth("PLAIN", encoded(plain(*self.account())))))
        peer.abort()
        return time.monotonic() - begin

    async def test_costly_passwords(self) -> None:
        """An account whose keys cost as much as is allowed: while its passwords are checked, and
        peers go before the answer, the node answers others at once."""
        user = f"costly@{self.cluster.cluster.domain}"
        key = {"mechanism": "SCRAM-SHA-256", "iterations": ITERATIONS_MAX,
               "salt": encoded("salt"), "stored_key": encoded(bytes(32)),
               "server_key": encoded(bytes(32))}
        self.cluster.ask(self.node_id, "user.import", rows=[{"jid": user, "keys": [key]}])
        peers = [await self.stranger() for _ in range(COSTLY_PEERS)]
        for peer in peers:
            await peer.open()
        answers = []
        for number, peer in enumerate(peers):
            peer.send(auth("PLAIN", encoded("\0costly\0wrong")))
            if number % 4 == 0:
                await asyncio.sleep(0.05)
                peer.abort()
            else:
                answers.append(asyncio.create_task(peer.next_outline(COSTLY_TIMEOUT_S)))
        longest_s = 0.0
        while not all(task.done() for task in answers):
            begin = time.monotonic()
            await self.bystanders[0].request("<ping xmlns='urn:xmpp:ping'/>")
            longest_s = max(longest_s, time.monotonic() - begin)
        self.assertEqual({"failure not-authorized"}, {task.result() for task in answers})
        self.assertLess(longest_s, ANSWER_S_MAX)

    async def test_before_tls(self) -> None:
        """On the clear port nothing but STARTTLS is possible: no password is asked for."""
        peer = await self.peer().dial(self.address(direct=False))
        await peer.open()
        self.assertEqual([f"{{{TLS_NS}}}starttls"], [item.tag for item in peer.features])
        for text in (auth("PLAIN", encoded(plain(*self.account()))), auth("SCRAM-SHA-1", "=")):
            self.assertEqual("failure encryption-required", await peer.answer(text))
        peer.send(f"<message to='{self.bystanders[0].jid}'><body>in clear</body></message>")
        self.assertEqual(["error not-authorized", "end"], await peer.last_words())

    async def test_starttls_twice(self) -> None:
        """STARTTLS inside TLS fails and ends the stream (section 5.4.2.2)."""
        peer = await self.stranger()
        await peer.open()
        peer.send(f"<starttls xmlns='{TLS_NS}'/>")
        self.assertEqual(["failure", "end"], await peer.last_words())

    async def test_other_domain_after_login(self) -> None:
        """The stream after SASL must go to the domain that was logged in to."""
        peer = await self.peer().log_in(self.address(), *self.account())
        peer.send(header(to="elsewhere.test"))
        words = await peer.last_words()
        self.assertTrue(words[-2].startswith("error "), words)

    async def test_stanzas_before_bind(self) -> None:
        """Who logged in but is bound to no resource sends nothing (section 7.1)."""
        for text in ("<message to='romeo1@example.test'><body>x</body></message>", "<presence/>",
                     "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"):
            peer = await self.peer().log_in(self.address(), *self.account())
            peer.send(text)
            self.assertEqual(["error not-authorized", "end"], await peer.last_words())
        peer = await self.peer().log_in(self.address(), *self.account())
        self.assertEqual("failed unexpected-request",
                         await peer.answer(f"<enable xmlns='{SM_NS}'/>"))
        peer.abort()

    async def test_bad_binds(self) -> None:
        """Bad resources are refused, for ever so often (7.7.3), and so is a second bind."""
        peer = await self.peer().log_in(self.address(), *self.account())
        bad = bind("x" * 1024)
        for _ in range(BIND_FAILURES_MAX - 1):
            self.assertEqual("iq error", await peer.answer(bad))
        peer.send(bad)
        self.assertEqual(["iq error", "error policy-violation", "end"], await peer.last_words())

        peer = await self.peer().log_in(self.address(), *self.account())
        address = await peer.bind()
        again = await peer.ask(bind("other"), "{jabber:client}iq")
        self.assertEqual("error", again.get("type"))
        self.assertTrue((await peer.answer(to_itself(address))).startswith("message body"))
        peer.abort()

    async def test_bad_resumes(self) -> None:
        """Forged, stale and other people's resume ids are all unknown; the peer may bind next."""
        victim = self.bystanders[0]
        ended = await self.bound()
        stale = await ended.enable()
        await ended.close()
        attempts = {
            resume(victim.resume_id): "item-not-found",
            resume(stale): "item-not-found",
            resume("00" * 16): "item-not-found",
            resume("zz"): "item-not-found",
            resume(""): "item-not-found",
            resume("ab" * 4000): "item-not-found",
            resume("00" * 16, "-1"): "bad-request",
            resume("00" * 16, "4294967296"): "bad-request",
            resume("00" * 16, ""): "bad-request",
            f"<resume xmlns='{SM_NS}' h='0'/>": "bad-request",
        }
        peer = await self.peer().log_in(self.address(), *self.account())
        for text, condition in attempts.items():
            with self.subTest(text[:100]):
                self.assertEqual(f"failed {condition}", await peer.answer(text))
        self.assertTrue(await peer.bind())
        peer.abort()

    async def test_resume_of_an_ended_session(self) -> None:
        """The owner's own id, after the session was closed in order, is item-not-found too."""
        user, password = self.account()
        first = await self.peer().log_in(self.address(), user, password)
        await first.bind()
        stale = await first.enable()
        first.send("</stream:stream>")
        await first.last_words()
        second = await self.peer().log_in(self.address(), user, password)
        self.assertEqual("failed item-not-found", await second.answer(resume(stale)))
        second.abort()

    async def test_handled_count_too_high(self) -> None:
        """An h beyond what was sent ends the stream and names both counts (XEP-0198 section 6)."""
        peer = await self.bound()
        await peer.enable()
        peer.send(f"<a xmlns='{SM_NS}' h='1000'/>")
        self.assertEqual(["error undefined-condition handled-count-too-high", "end"],
                         await peer.last_words())

    async def test_handled_count_of_a_liar(self) -> None:
        """A wrong h after a resume harms the liar alone, and the session goes on.

        Volatile stanzas are not in the log, so nobody knows any more what was sent.
        """
        user, password = self.account()
        peer = await self.peer().log_in(self.address(), user, password)
        address = await peer.bind()
        previous = await peer.enable()
        for h in ("1000", "4294967295", "0"):
            peer.abort()
            peer = await self.peer().log_in(self.address(), user, password)
            self.assertEqual("resumed", await peer.answer(resume(previous, h)))
            self.assertEqual("r", await peer.answer(f"<a xmlns='{SM_NS}' h='{h}'/>"))
            self.assertTrue((await peer.answer(to_itself(address))).startswith("message body"))
        peer.abort()

    async def test_bad_acks(self) -> None:
        """XEP-0198 elements out of turn are refused; an <a/> without a count is no XML of ours."""
        peer = await self.bound()
        for text in (f"<r xmlns='{SM_NS}'/>", f"<a xmlns='{SM_NS}' h='0'/>"):
            self.assertEqual("failed unexpected-request", await peer.answer(text))
        await peer.enable()
        for text in (f"<enable xmlns='{SM_NS}'/>", resume("00" * 16), f"<zebra xmlns='{SM_NS}'/>"):
            self.assertEqual("failed unexpected-request", await peer.answer(text))
        peer.send(f"<a xmlns='{SM_NS}' h='many'/>")
        self.assertEqual(["error invalid-xml", "end"], await peer.last_words())


def bind(resource: str) -> str:
    """A bind request."""
    return (f"<iq type='set' id='b'><bind xmlns='{BIND_NS}'><resource>{resource}</resource></bind>"
            "</iq>")


def to_itself(address: str) -> str:
    """A message that comes back to its sender."""
    return f"<message to='{address}'><body>still here</body></message>"


def resume(previous: str, h: str = "0") -> str:
    """A <resume/>."""
    return f"<resume xmlns='{SM_NS}' h='{h}' previd='{previous}'/>"
