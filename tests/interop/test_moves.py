"""What real clients do when the operator moves them, or sends them elsewhere.

Method: three nodes, of which 1 and 2 are a group. slixmpp and profanity are at a node that is
failed over, drained, or not their user's; where they go by themselves, and how they are served
there, must be what docs/clients.md tells operators. Muster offers neither WebSocket nor BOSH, so
Converse.js is not among them.
"""

import asyncio
import re
import time
from collections import deque
from typing import Any

from tests.interop.profanity import Profanity
from tests.interop.scene import Person, TerminalTest
from tests.interop.slixmpp_program import SlixmppProgram
from tests.lib.cluster import PASSWORD
from tests.lib.forwarder import Forwarder
from tests.lib.recorder import Chat
from tests.lib.xmpp_client import PRESENCE
from tests.lib.xmpp_stream import Address
from tests.operator.ctl import Said, make_group, musterctl

TIMEOUT_S = 20.0
POLL_S = 0.1
MESSAGE_INTERVAL_S = 0.02
XMPP_PORT = 5222
WHILE_AWAY = 5
# What profanity and libstrophe write into their log.
ONLINE = "handler: XMPP_CONN_CONNECT"
ENABLED = "RECV: <enabled "
RESUMED = "Session resumed successfully"
LOST = "Lost connection for unknown reason"
STREAM_ERROR = 'RECV: <error xmlns="http://etherx.jabber.org/streams">'
SEE_OTHER_HOST = re.compile(STREAM_ERROR + "<see-other-host[^>]*>([^<]*)<")


class Moved(TerminalTest):
    """Nodes 1 and 2 stand in for each other; each test leaves the group Normal."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        make_group(cls.cluster, "pair", (1, 2))

    async def asyncTearDown(self) -> None:
        await super().asyncTearDown()
        await self._end_sessions()
        await self.ok("assignment", "policy", "accept")
        if (await self.row(1))["state"] != "Normal":
            await self.move("fallback")

    async def _end_sessions(self) -> None:
        """What a client left that was ended in the middle would be moved with those of the next
        test."""
        left = (await self.ok("session", "list", "--json")).json()["sessions"]
        for user in {row["user"] for row in left}:
            await self.ok("session", "kill", user)

    # ------------------------------------------------------------ musterctl

    async def ok(self, *arguments: str) -> Said:
        """A call that must succeed; clients go on meanwhile."""
        said = await asyncio.to_thread(musterctl, "--cluster", str(self.cluster.folder),
                                       *arguments)
        self.assertEqual(0, said.code, said)
        return said

    async def row(self, node_id: int) -> Any:
        """What ha status says of a node."""
        nodes = (await self.ok("ha", "status", "--json")).json()["nodes"]
        return next(node for node in nodes if node["node"] == node_id)

    async def move(self, verb: str) -> dict[str, int]:
        """failover, drain or fallback of node 1, to its end; the counts of ha status."""
        await self.ok("ha", verb, "1")
        deadline = time.monotonic() + TIMEOUT_S
        while (row := await self.row(1))["moving"]:
            self.assertLess(time.monotonic(), deadline, f"{verb} of node 1: {row}")
            await asyncio.sleep(POLL_S)
        return row["sessions"]

    async def user(self, name: str, home: int = 1) -> str:
        """A new account whose home is a node."""
        jid = self.account(name)
        await self.ok("user", "assign", jid, str(home))
        return jid

    async def expect_at(self, jid: str, node_id: int) -> None:
        """The only session of a user is live at a node; the one that answers may learn it late."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            said = await self.ok("session", "list", jid, "--json")
            seen = [(row["node"], row["state"]) for row in said.json()["sessions"]]
            if seen == [(node_id, "live")]:
                return
            self.assertLess(time.monotonic(), deadline, f"{jid} is at {seen}, not at {node_id}")
            await asyncio.sleep(POLL_S)

    def address(self, node_id: int) -> Address:
        """Where a node listens."""
        return self.cluster.addresses(node_id)[0]

    def text(self, node_id: int) -> str:
        """The same as Muster says it."""
        address = self.address(node_id)
        return f"{address.host}:{address.port}"


class Resumable(Moved):
    """Clients with XEP-0198: their connection ends without a word, and they resume."""

    async def _pair(self, name: str, *nodes: int) -> tuple[Person, Chat]:
        """Somebody at the first of these nodes, who knows no others, and a chat with node 3."""
        one = await self.login(await self.user(name), nodes[0])
        one.client.addresses = deque(self.address(node) for node in nodes)
        other = await self.person(f"contact-of-{name}", 3)
        await self.befriend(one, other)
        return one, Chat(one.client, other.client)

    async def test_slixmpp(self) -> None:
        """Failover and fallback of two slixmpp: one whose program has the addresses of both nodes
        resumes at the other, one that has a single address resumes there; ha status counts both.
        There is no footer and no error; nothing is lost, repeated or reordered, and no contact sees
        them unavailable."""
        alice, alices = await self._pair("alice", 1, 2)
        carol, carols = await self._pair("carol", 1)
        names = [alice.client.full_jid, carol.client.full_jid]
        for chat in (alices, carols):
            chat.begin(MESSAGE_INTERVAL_S)

        self.assertEqual({"found": 2, "dropped": 2, "moved": 1, "returned": 1, "ended": 0},
                         await self.move("failover"))
        await self.expect_at(alice.jid, 2)
        await self.expect_at(carol.jid, 1)
        self.assertEqual({"found": 1, "dropped": 1, "moved": 1, "returned": 0, "ended": 0},
                         await self.move("fallback"))
        await self.expect_at(alice.jid, 1)
        await self.expect_at(carol.jid, 1)

        judgement = await alices.end(TIMEOUT_S) + await carols.end(TIMEOUT_S)
        print(f"# {judgement}")
        self.assertEqual(0, judgement.faults(), judgement)
        self.assertGreater(judgement.received, 0)
        self.assertEqual(names, [alice.client.full_jid, carol.client.full_jid])
        for person, times in ((alice, 2), (carol, 1)):
            dropped = [event.detail for event in person.client.events if event.name == "dropped"]
            self.assertEqual(times, len(dropped))
            self.assertNotIn("End of stream", dropped)
            self.assertEqual(times, person.client.event_count("resumed"))
            self.assertEqual(1, person.client.event_count("started"))

    async def _away(self, terminal: Profanity, bob: Person, verb: str,
                    resumes: int) -> dict[str, int]:
        """Move profanity, send it messages while it is away, and let it answer."""
        begin = len(bob.presences(terminal.jid, "unavailable"))
        moving = asyncio.create_task(self.move(verb))
        await terminal.logs(LOST, resumes)
        for number in range(WHILE_AWAY):
            bob.client.send_message(terminal.jid, f"{verb} {number};")
        await terminal.logs(RESUMED, resumes)
        counts = await moving
        terminal.type(f"/msg {bob.jid} back from {verb}")
        await bob.sees_body(terminal.jid, f"back from {verb}")
        await terminal.logs(f"<body>{verb} {WHILE_AWAY - 1};</body>")
        for number in range(WHILE_AWAY):
            self.assertEqual(1, terminal.log().count(f"<body>{verb} {number};</body>"))
        self.assertEqual(1, bob.bodies(terminal.jid).count(f"back from {verb}"))
        self.assertEqual(begin, len(bob.presences(terminal.jid, "unavailable")))
        self.assertNotIn(STREAM_ERROR, terminal.log())
        return counts

    async def test_profanity_at_one_address(self) -> None:
        """profanity goes back to the node that dropped it, after its /reconnect seconds, and
        resumes there: it is counted as returned, and a fallback finds it in place."""
        bob = await self.person("bob", 3)
        terminal = await self.terminal(await self.user("alice"), self.address(1))
        await self.befriend_terminal(terminal, bob)
        self.assertEqual({"found": 1, "dropped": 1, "moved": 0, "returned": 1, "ended": 0},
                         await self._away(terminal, bob, "failover", 1))
        await self.expect_at(terminal.jid, 1)
        self.assertEqual(0, (await self.move("fallback"))["found"])
        await self.expect_at(terminal.jid, 1)

    async def test_profanity_behind_a_balancer(self) -> None:
        """profanity resumes at the other node where a balancer leads it there, and comes home at
        the fallback the same way."""
        balancer = Forwarder([self.address(1)])
        await balancer.start()
        self.addAsyncCleanup(balancer.stop)
        bob = await self.person("bob", 3)
        terminal = await self.terminal(await self.user("alice"), balancer.address)
        await self.befriend_terminal(terminal, bob)
        for resumes, (verb, to) in enumerate((("failover", 2), ("fallback", 1)), 1):
            balancer.targets = [self.address(to)]
            self.assertEqual({"found": 1, "dropped": 1, "moved": 1, "returned": 0, "ended": 0},
                             await self._away(terminal, bob, verb, resumes))
            await self.expect_at(terminal.jid, to)


class SentElsewhere(Moved):
    """Clients that get see-other-host (RFC 6120 4.9.3.19), at a move or when they log in."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.programs: list[SlixmppProgram] = []

    async def asyncTearDown(self) -> None:
        for program in self.programs:
            await program.close()
        await super().asyncTearDown()

    async def _program(self, jid: str, node_id: int, dns: int, **options: Any) -> SlixmppProgram:
        """slixmpp that connects to a node; the DNS leads to another one."""
        program = SlixmppProgram(jid, PASSWORD, [self.address(dns)], self.cluster.cluster.ca,
                                 **options)
        self.programs.append(program)
        program.connect(self.address(node_id))
        return program

    def _dns(self) -> str:
        """Where slixmpp goes by itself: the domain of its address, whose records it asks for."""
        return f"{self.cluster.cluster.domain}:{XMPP_PORT}"

    async def test_slixmpp_without_acks_is_moved(self) -> None:
        """slixmpp without XEP-0198 is told where to go. It does not go there, but logs in again
        where the DNS leads; a program can make it go where it was told."""
        programs = [await self._program(await self.user(name), 1, dns, follows=follows)
                    for name, dns, follows in (("other", 2, False), ("same", 1, False),
                                               ("follows", 1, True))]
        for program in programs:
            await program.online()
        self.assertEqual({"found": 3, "dropped": 3, "moved": 0, "returned": 0, "ended": 3},
                         await self.move("failover"))
        for program, then, at in zip(programs, (self._dns(), self._dns(), self.text(2)),
                                     (2, 1, 2)):
            await program.online(2)
            self.assertEqual([f"see-other-host {self.text(2)}"], program.details("told"))
            self.assertEqual([self.text(1), then], program.details("tries"))
            await self.expect_at(program.jid, at)

    async def test_contact_of_slixmpp_without_acks(self) -> None:
        """The contact of one that is moved without XEP-0198 sees it go and come back. What is sent
        to it all the while arrives, once and in order."""
        jid = await self.user("alice")
        bob = await self.person("bob", 3)
        before = await self.login(jid, 1)
        await self.befriend(before, bob)
        await before.client.close()
        await bob.sees_presence(jid, "unavailable")
        bob.seen.clear()
        alice = await self._program(jid, 1, 2)
        await bob.sees_presence(jid)

        moving = asyncio.create_task(self.move("failover"))
        sent, deadline = 0, time.monotonic() + 2 * TIMEOUT_S
        while not moving.done() or alice.event_count("started") < 2:
            self.assertLess(time.monotonic(), deadline, "it does not come back")
            bob.client.send_message(jid, f"number {sent}")
            sent += 1
            await asyncio.sleep(MESSAGE_INTERVAL_S)
        await moving
        wanted = [f"number {number}" for number in range(sent)]
        await alice.wait_until(lambda: wanted[-1] in alice.details("message"), TIMEOUT_S)
        self.assertEqual(wanted, alice.details("message"))
        await bob.sees_presence(jid, count=2)
        self.assertEqual([None, "unavailable", None],
                         [item.get("type") for item in bob.seen
                          if item.tag == PRESENCE and item.get("from", "").startswith(f"{jid}/")])

    async def test_slixmpp_logs_in_at_a_drained_node(self) -> None:
        """slixmpp is told to go elsewhere when it binds. It goes where the DNS leads: to another
        node, or to the same, which serves it then. A program can make it go where it was told."""
        await self.move("drain")
        await self._log_in(1, 2)

    async def test_slixmpp_logs_in_at_a_foreign_node(self) -> None:
        """The same by the policy redirect, at the node that is not its user's."""
        await self.ok("assignment", "policy", "redirect")
        await self._log_in(2, 1)

    async def _log_in(self, here: int, there: int) -> None:
        for acks in (False, True):
            for name, dns, follows, then, at in (
                    ("other", there, False, self._dns(), there),
                    ("same", here, False, self._dns(), here),
                    ("follows", here, True, self.text(there), there)):
                jid = await self.user(f"{name}-{'acks' if acks else 'plain'}")
                program = await self._program(jid, here, dns, follows=follows, acks=acks)
                await program.online()
                self.assertEqual([f"see-other-host {self.text(there)}"], program.details("told"))
                self.assertEqual([self.text(here), then], program.details("tries"))
                await self.expect_at(jid, at)

    async def test_profanity_logs_in_at_a_drained_node(self) -> None:
        """profanity is told to go elsewhere when it binds, and goes there. Who makes it connect to
        its own server again within a minute is served there, drained as it is."""
        await self.move("drain")
        await self._terminal_logs_in(1, 2)

    async def test_profanity_logs_in_at_a_foreign_node(self) -> None:
        """The same by the policy redirect, at the node that is not its user's."""
        await self.ok("assignment", "policy", "redirect")
        await self._terminal_logs_in(2, 1)

    async def _terminal_logs_in(self, here: int, there: int) -> None:
        terminal = await self.terminal(await self.user("alice"), self.address(here))
        self.assertEqual([self.text(there)], SEE_OTHER_HOST.findall(terminal.log()))
        await self.expect_at(terminal.jid, there)
        terminal.type("/disconnect")
        await terminal.shows("logged out successfully")
        terminal.type(f"/connect {terminal.jid}")
        await terminal.logs(ONLINE, 2)
        await self.expect_at(terminal.jid, here)
        self.assertEqual(1, len(SEE_OTHER_HOST.findall(terminal.log())))

    async def test_profanity_stays_where_it_was_told(self) -> None:
        """Where profanity went at its login it goes back to whenever it loses its connection: the
        fallback to its own server finds it, drops it, and sees it return."""
        await self.move("drain")
        terminal = await self.terminal(await self.user("alice"), self.address(1))
        await self.expect_at(terminal.jid, 2)
        await terminal.logs(ENABLED)
        self.assertEqual({"found": 1, "dropped": 1, "moved": 0, "returned": 1, "ended": 0},
                         await self.move("fallback"))
        await terminal.logs(RESUMED)
        await self.expect_at(terminal.jid, 2)

    async def test_profanity_is_told_when_it_comes_back(self) -> None:
        """A profanity that lost its session, here to the operator, binds anew when it comes back:
        it goes where it is told then, too."""
        terminal = await self.terminal(await self.user("alice"), self.address(2))
        await terminal.logs(ENABLED)
        await self.expect_at(terminal.jid, 2)
        await self.ok("assignment", "policy", "redirect")
        await self.ok("session", "kill", terminal.jid)
        await terminal.logs(ONLINE, 2)
        self.assertEqual([self.text(1)], SEE_OTHER_HOST.findall(terminal.log()))
        await self.expect_at(terminal.jid, 1)
