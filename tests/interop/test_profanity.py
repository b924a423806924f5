"""profanity, a terminal client on libstrophe, against a cluster, with slixmpp as the other side."""

from tests.interop.profanity import Profanity
from tests.interop.scene import Person, TerminalTest
from tests.lib.forwarder import Forwarder


class Terminal(TerminalTest):
    """profanity knows one address: a forwarder to the first node that is up stands there."""

    async def _terminal(self, jid: str) -> Profanity:
        forwarder = Forwarder(self.cluster.addresses(1))
        await forwarder.start()
        self.addAsyncCleanup(forwarder.stop)
        return await self.terminal(jid, forwarder.address)

    async def _friends(self) -> tuple[Profanity, Person]:
        """profanity and slixmpp, subscribed to each other by typed commands."""
        terminal = await self._terminal(self.account("alice"))
        bob = await self.person("bob", 2)
        await self.befriend_terminal(terminal, bob)
        return terminal, bob

    async def test_subscribe_and_chat(self) -> None:
        """Subscription both ways by typed commands, messages both ways, presence, logout."""
        terminal, bob = await self._friends()
        terminal.type(f"/msg {bob.jid} hello from the terminal")
        await bob.sees_body(terminal.jid, "hello from the terminal")
        bob.client.send_message(terminal.jid, "hello from slixmpp")
        await terminal.shows("hello from slixmpp")
        terminal.type("/status set away lunch")
        await bob.client.wait_until(
            lambda: any("lunch" in "".join(item.itertext())
                        for item in bob.presences(terminal.jid)), 10, "lunch")
        terminal.type("/quit")
        await bob.sees_presence(terminal.jid, "unavailable")

    async def test_offline(self) -> None:
        """What was sent while it was away is shown at login."""
        bob = await self.person("bob", 3)
        jid = self.account("alice")
        bob.client.send_message(jid, "kept for you")
        await bob.client.all_acked()
        terminal = await self._terminal(jid)
        await terminal.logs("kept for you")

    async def test_node_killed(self) -> None:
        """profanity resumes its stream on another node; nothing lost or repeated, no flap."""
        terminal, bob = await self._friends()
        self.cluster.kill(1)
        for number in range(5):
            bob.client.send_message(terminal.jid, f"while away {number};")
        await terminal.logs("Session resumed successfully")
        terminal.type(f"/msg {bob.jid} still here")
        await bob.sees_body(terminal.jid, "still here")
        await terminal.logs("while away 4;")
        for number in range(5):
            self.assertEqual(1, terminal.log().count(f"<body>while away {number};</body>"))
        self.assertEqual(1, bob.bodies(terminal.jid).count("still here"))
        self.assertEqual([], bob.presences(terminal.jid, "unavailable"))
        await self.cluster.start(1)
        await self.cluster.wait_equal()

    async def test_unacknowledged(self) -> None:
        """What it sent to a node that stood still, and then died, is lost: when it resumes it does
        not send again what was not acknowledged."""
        terminal, bob = await self._friends()
        terminal.type(f"/msg {bob.jid} before")
        await bob.sees_body(terminal.jid, "before")
        self.cluster.pause(1)
        terminal.type(f"/msg {bob.jid} unacknowledged")
        await terminal.logs("SENT: <message[^>]*><body>unacknowledged")
        self.cluster.kill(1)
        await terminal.logs("Session resumed successfully")
        terminal.type(f"/msg {bob.jid} after")
        await bob.sees_body(terminal.jid, "after")
        self.assertEqual(["before", "after"], [body for body in bob.bodies(terminal.jid) if body])
        self.assertEqual([], bob.presences(terminal.jid, "unavailable"))
        await self.cluster.start(1)
        await self.cluster.wait_equal()
