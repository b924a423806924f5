"""Scenarios: what their reader refuses, what their patterns match, and how a play fails."""

import asyncio
import tempfile
import unittest
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.lib.scenario import (SUFFIX, Scenario, ScenarioError, files, method_name, read, title)
from tests.lib.scenario_pattern import Mismatch, Pattern, Words, filled
from tests.lib.scenario_play import MARKER, Inbox, Play, ScenarioFailed
from tests.lib.xmpp_client import CLIENT_NS
from tests.runner.sources import python_cases

HEAD = """Title: A message
Source: RFC 6121 §8.5.2; XEP-0359 §3
Client: Alice, resource desk, online
Client: Bob, resource phone, online, priority -1, interested
Client: Laptop, of Bob, resource laptop, offline
Friends: Alice and Bob
"""
STEPS = """
# A comment
Alice sends:
    <message to='{Bob.jid}' id='m1'>
      <body>Hello</body>
    </message>

Bob receives:
    <message from='{Alice.full}' id='m1'>
      <body>Hello</body>
    </message>
"""
SOON_S = 0.05


def reading(text: str) -> Scenario:
    """Of a file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a-file{SUFFIX}"
        path.write_text(text)
        return read(path)


def stanza(text: str) -> ET.Element:
    """As it comes."""
    return ET.fromstring(f"<stream xmlns='{CLIENT_NS}'>{text}</stream>")[0]


class Reader(unittest.TestCase):
    """The format, and everything that is not part of it."""

    def test_head_and_steps(self) -> None:
        """What a file says is what is read."""
        scenario = reading(HEAD + STEPS)
        self.assertEqual("A message", scenario.title)
        self.assertEqual(["Alice", "Bob"], scenario.accounts)
        bob, laptop = scenario.roles["Bob"], scenario.roles["Laptop"]
        self.assertEqual((True, True, True, -1), (bob.connected, bob.available, bob.interested,
                                                  bob.priority))
        self.assertEqual(("Bob", "laptop", False), (laptop.account, laptop.resource,
                                                    laptop.connected))
        self.assertEqual([("Alice", "Bob")], scenario.friends)
        self.assertEqual([("Alice", "sends", 9), ("Bob", "receives", 14)],
                         [(step.who, step.verb, step.line) for step in scenario.steps])
        self.assertEqual(["<message to='{Bob.jid}' id='m1'><body>Hello</body></message>"],
                         scenario.steps[0].texts)

    def test_refused(self) -> None:
        """Whatever is not known, or cannot be, is an error that names file and line."""
        body = "    <message/>\n"
        cases = [
            ("Titel: A\n", 1, "not known"), ("Title: A\nTitle: B\n", 2, "second title"),
            ("Source: RFC 6121\n", 1, "no source"), ("  Title: A\n", 1, "belongs to no step"),
            (HEAD + "Alice says:\n" + body, 7, "not known: Alice says"),
            (HEAD + "Carol sends:\n" + body, 7, "no client named Carol"),
            (HEAD + "Alice sends\n" + body, 7, "colon"), (HEAD + "Alice sends:\n", 7, "colon"),
            (HEAD + "Alice receives nothing:\n", 7, "colon"),
            (HEAD + "Alice disconnects\n" + body, 7, "colon"),
            (HEAD + "Alice sends:\n    <message>\n", 8, "no XML"),
            (HEAD + "Alice sends:\n    <message/>\n    <message/>\n", 8, "blank line between"),
            (HEAD + "Alice sends:\n    words\n", 8, "blank line between"),
            (HEAD + "Alice sends:\n    <body/>\n", 8, "no stanza"),
            (HEAD + "Alice sends:\n    <message to='{Bob}'/>\n", 8, "no value for {Bob}"),
            (HEAD + "Alice sends:\n    <message>\n      <body>{any}</body>\n    </message>\n", 9,
             "no value for {any}"),
            (HEAD + "Bob receives:\n    <message id='{some}'/>\n", 8, "not known: {some}"),
            (HEAD + "Bob receives:\n    <message id='{jid as x}'/>\n", 8, "no kind"),
            (HEAD + "Bob receives:\n    <message id='{id as x}' to='{id as x}'/>\n", 8,
             "second x"),
            (HEAD + "Bob receives:\n    <message id='{id'/>\n", 8, "stands alone"),
            (HEAD + "Bob receives:\n    <message id='a{none}'/>\n", 8, "no part of a value"),
            (HEAD + "Bob receives, in any order:\n" + body, 7, "no order"),
            (HEAD + "Laptop sends:\n" + body, 7, "Laptop is offline"),
            (HEAD + "Laptop receives nothing\n", 7, "Laptop is offline"),
            (HEAD + "Bob connects\n", 7, "Bob is connected"),
            (HEAD + "Bob resumes\n", 7, "Bob is connected"),
            (HEAD + "Bob loses the connection\nBob sends:\n" + body, 8, "without its connection"),
            (HEAD + "Bob disconnects\nBob resumes\n", 8, "Bob is offline"),
            (HEAD + STEPS + "Client: Carol, resource x, online\n", 18, "above all steps"),
            (HEAD + "    <message/>\n", 7, "may be indented"), (HEAD, 6, "no steps"),
            (STEPS, 3, "no client"), ("Client: Alice, online\n", 1, "needs a resource"),
            ("Client: Alice, resource x\n", 1, "needs a resource"),
            ("Client: alice, resource x, online\n", 1, "not a new name"),
            ("Client: Alice, resource x, on-line\n", 1, "not known of a client"),
            ("Client: Alice, resource x, online, offline\n", 1, "a second word"),
            ("Client: Alice, resource x, offline, priority 1\n", 1, "no priority"),
            ("Client: Alice, resource x, offline, interested\n", 1, "not asked"),
            ("Client: Alice, of Bob, resource x, online\n", 1, "no account of Bob"),
            (HEAD + "Client: Two, of Bob, resource phone, online\n", 7, "a second phone"),
            (HEAD + "Friends: Alice and Carol\n", 7, "no account of Carol"),
            (HEAD + "Friends: Alice and Alice\n", 7, "One and Another"),
        ]
        for text, line, why in cases:
            with self.subTest(text=text):
                with self.assertRaises(ScenarioError) as caught:
                    reading(text)
                self.assertTrue(str(caught.exception).startswith(f"a-file{SUFFIX}:{line}: "),
                                str(caught.exception))
                self.assertIn(why, str(caught.exception))

    def test_all_files(self) -> None:
        """Every scenario can be read, and no two have the same name or title."""
        self.assertGreater(len(files()), 40)
        for name in (method_name, title):
            self.assertEqual(len(files()), len(set(map(name, files()))))
        for path in files():
            self.assertGreater(len(read(path).steps), 1, path.name)

    def test_listed(self) -> None:
        """Each scenario is listed as a test of each way, with its title."""
        source = Path(__file__).resolve().parents[1] / "interop" / "play_scenarios.py"
        cases = {case.name: case.goal for case in python_cases(source)}
        self.assertEqual({f"{way}.{method_name(path)}": title(path) for path in files()
                          for way in ("OneNode", "ThreeNodes", "NodeKilled")}, cases)


class Matcher(unittest.TestCase):
    """Patterns against stanzas."""

    def _match(self, pattern: str, seen: str, exact: bool = False) -> dict[str, str] | None:
        """What is known afterwards; None: no match."""
        words = Words(remembered={"old"})
        words.addresses.add("Bob.jid")
        try:
            return Pattern.parse(pattern, words, exact).match(
                stanza(seen), {"Bob.jid": "bob@x", "old": "a.b", "server": "x"})
        except Mismatch:
            return None

    def test_matches(self) -> None:
        """Attributes and children that are not named do not matter; words stand for values."""
        message = ("<message from='bob@x' id='1' type='chat'><body>a.b</body>"
                   "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25.123Z'/></message>")
        for pattern in ("<message type='chat'/>", "<message type='chat' from='{Bob.jid}'/>",
                        "<message type='chat'><body>{old}</body></message>",
                        "<message type='chat'><body>{any}</body></message>",
                        "<message type='chat' from='bob@{server}' to='{none}'/>",
                        "<message type='chat' id='{number}'><body/></message>",
                        "<message type='chat'><delay xmlns='urn:xmpp:delay' stamp='{time}'/>"
                        "<body/></message>"):
            with self.subTest(pattern=pattern):
                self.assertIsNotNone(self._match(pattern, message))

    def test_differs(self) -> None:
        """Every other name, namespace, value and text is another stanza, and so is a type that is
        not named."""
        message = "<message from='bob@x' id='i d' type='chat'><body>axb</body></message>"
        for pattern in ("<presence type='chat'/>", "<message/>", "<message type='normal'/>",
                        "<message type='chat' from='Bob@x'/>", "<message type='chat' to='{any}'/>",
                        "<message type='chat' from='{none}'/>", "<message type='chat' id='{id}'/>",
                        "<message type='chat'><body>{old}</body></message>",
                        "<message type='chat'><body>{time}</body></message>",
                        "<message type='chat'><body>ax</body></message>",
                        "<message type='chat'><body/><body/></message>",
                        "<message type='chat'><body xmlns='urn:other'/></message>",
                        "<message type='chat'><body><b/></body></message>"):
            with self.subTest(pattern=pattern):
                self.assertIsNone(self._match(pattern, message))

    def test_exactly(self) -> None:
        """All children, in their order, with all their attributes and texts."""
        seen = "<message id='1' from='bob@x'><a x='1'>t</a><b/></message>"
        self.assertIsNotNone(self._match("<message><a x='1'>t</a><b/></message>", seen, True))
        for pattern in ("<message><a x='1'>t</a></message>", "<message><a>t</a><b/></message>",
                        "<message><a x='1'/><b/></message>", "<message/>",
                        "<message><b/><a x='1'>t</a></message>"):
            with self.subTest(pattern=pattern):
                self.assertIsNotNone(self._match(pattern, seen))
                self.assertIsNone(self._match(pattern, seen, True))

    def test_remembers(self) -> None:
        """What is remembered is the value of its word from then on, and goes into texts."""
        values = self._match("<message id='{id as x}'><body>n{number as n}</body></message>",
                             "<message id=\"'&lt;\"><body>n17</body></message>")
        assert values is not None
        self.assertEqual(("'<", "17"), (values["x"], values["n"]))
        self.assertEqual("<message id='&apos;&lt;'/>", filled("<message id='{x}'/>", values))


class Puppet:
    """A client whose messages to somebody are seen by that one's puppet at once, but for what the
    test says; and it may get what nobody sent."""

    def __init__(self, name: str, stage: dict[str, "Puppet"]) -> None:
        self.full = f"{name.lower()}@x/r"
        self.inbox = Inbox(name)
        self.connected = True
        self.sent: list[str] = []
        self.deaf = False
        self._stage = stage

    def send(self, text: str) -> None:
        """To whoever has the address."""
        self.sent.append(text)
        element = stanza(text)
        element.set("from", self.full)
        for other in self._stage.values():
            if element.get("to") == other.full and not (
                    other.deaf and element.find(MARKER) is None):
                other.inbox.put(element)

    async def taken(self, _timeout_s: float) -> None:
        """Always."""

    async def connect(self) -> None:
        """Be there."""
        self.connected = True

    async def disconnect(self) -> None:
        """Go."""
        self.connected = False

    async def lose(self) -> None:
        """Be away."""
        self.connected = False

    async def resume(self) -> None:
        """Be back."""
        self.connected = True
        self.inbox.resumed()


PLAYED = """Title: A play
Source: RFC 6121 §8.5
Client: Alice, resource r, online
Client: Bob, resource r, online
Alice sends:
    <message to='{Bob.full}' id='m1'/>

    <message to='{Bob.full}' id='m2'/>
"""
BOTH = """Bob receives, in any order:
    <message id='m2'/>

    <message id='m1'/>
"""


class Playing(unittest.IsolatedAsyncioTestCase):
    """The player, with puppets for clients."""

    async def _play(self, text: str,
                    change: Callable[[dict[str, Puppet]], None] | None = None,
                    between: Callable[[dict[str, Puppet], int], Awaitable[None]] | None = None
                    ) -> str:
        """Why it failed; "" when it did not."""
        stage: dict[str, Puppet] = {}
        for name in ("Alice", "Bob"):
            stage[name] = Puppet(name, stage)
        if change is not None:
            change(stage)

        async def step(index: int) -> None:
            if between is not None:
                await between(stage, index)

        play = Play(reading(PLAYED + text), dict(stage),
                    {f"{name}.full": puppet.full for name, puppet in stage.items()}, step, SOON_S)
        try:
            await play.run()
        except ScenarioFailed as error:
            return str(error)
        return ""

    async def test_passes(self) -> None:
        """What happens as it is said passes."""
        self.assertEqual("", await self._play(BOTH + "Alice receives nothing\n"))
        self.assertEqual("", await self._play(
            "Bob receives:\n    <message id='m1'/>\n\n    <message id='m2'/>\n"))

    async def test_wrong(self) -> None:
        """Another stanza, or one out of order, fails where it is received."""
        why = await self._play("Bob receives:\n    <message id='m2'/>\n")
        self.assertIn(f"a-file{SUFFIX}:9: Bob receives: id of message is 'm1' instead of 'm2'", why)
        why = await self._play(BOTH.replace("m2", "m3"))
        self.assertIn("another stanza", why)

    async def test_order_of_a_sender(self) -> None:
        """In any order is not for stanzas of one sender."""
        why = await self._play(BOTH.replace("<message", "<message from='{Alice.full}'"))
        self.assertIn("another stanza", why)

    async def test_missing(self) -> None:
        """A stanza that does not come fails, alone and in any order."""
        def deafen(stage: dict[str, Puppet]) -> None:
            stage["Bob"].deaf = True

        for steps in (BOTH, "Bob receives:\n    <message id='m1'/>\n"):
            self.assertIn("no stanza within", await self._play(steps, deafen))

    async def test_unexpected(self) -> None:
        """A stanza that nothing speaks of fails: where nothing may come, before its receiver goes,
        and at the end."""
        one = "Bob receives:\n    <message id='m1'/>\n"
        for steps, where in ((one, "at the end: Bob"),
                             (one + "Bob receives nothing\n", "11: Bob receives nothing"),
                             (one + "Bob disconnects\n", "11: Bob disconnects"),
                             (one + "Bob loses the connection\n", "11: Bob loses")):
            why = await self._play(steps)
            self.assertIn(f"{where}", why)
            self.assertIn("more comes", why)
            self.assertIn('id="m2"', why)

    async def test_overtaken(self) -> None:
        """Nothing is not what came when it is asked for: what is on its way before the markers
        counts, and they are waited for."""
        late = stanza("<message id='late'/>")

        def delay(stage: dict[str, Puppet]) -> None:
            put = stage["Bob"].inbox.put

            def put_late_first(element: ET.Element) -> None:
                if element.find(MARKER) is not None:
                    asyncio.get_running_loop().call_soon(put, late)
                    asyncio.get_running_loop().call_soon(put, element)
                else:
                    put(element)

            stage["Bob"].inbox.put = put_late_first  # type: ignore[method-assign]

        self.assertIn('id="late"', await self._play(BOTH + "Bob receives nothing\n", delay))

    async def test_repeated_presence(self) -> None:
        """Who resumed may be shown the same presence once more; not twice, and not another one."""
        shown = stanza("<presence from='carol@x/r'><show>away</show></presence>")
        same = stanza("<presence from='carol@x/r' to='bob@x'><show>away</show></presence>")
        other = stanza("<presence from='carol@x/r'><show>dnd</show></presence>")
        end = stanza("<presence from='carol@x/r' type='unavailable'/>")
        for repeated, passes in (([same], True), ([same, same], False), ([other], False),
                                 ([end], False)):
            async def between(stage: dict[str, Puppet], index: int, again=repeated) -> None:
                if index == 2:
                    stage["Bob"].inbox.put(shown)
                    await stage["Bob"].inbox.next(SOON_S)
                    await stage["Bob"].resume()
                    for presence in again:
                        stage["Bob"].inbox.put(presence)

            why = await self._play(BOTH + "Bob receives nothing\n", between=between)
            self.assertEqual(passes, why == "", why)
