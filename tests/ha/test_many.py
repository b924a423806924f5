"""A node full of sessions fails over and back (P1, P2, P3): MUSTER_SESSIONS resumable TLS sessions.

Method: sessions on node 1, each with its presence; their contacts on node 3 chat with some of them
and see the presence of those. Failover at a pace, then fallback. Every session must have resumed,
and the pace must be the one asked for.
"""

import asyncio
import os
import time

from tests.ha.scene import STATE_TIMEOUT_S, HaTest
from tests.kill.scene import MESSAGE_INTERVAL_S, RESUME_TIMEOUT_S
from tests.lib.recorder import Chat, Judgement, befriend
from tests.lib.xmpp_client import Client

SESSIONS = int(os.environ.get("MUSTER_SESSIONS", "100"))
RATE = 50
CHATS = 4
LOGINS_AT_ONCE = 8
PACE_ERROR = 0.1


class Many(HaTest):
    """One group and a third node."""

    groups = ((1, 2),)
    up_options = ("--nodes", "3", "--limit", "connections_per_address=100000")

    def others(self) -> list[int]:
        """The third node."""
        return [3]

    async def _log_in(self, name: str, node: int, gate: asyncio.Semaphore) -> Client:
        async with gate:
            jid = await asyncio.to_thread(self.cluster.add_user, name)
            client = self.cluster.client(jid, node, direct=True, silence_s=30.0,
                                         resume_deadline_s=300.0)
            await client.start()
        self.addAsyncCleanup(client.vanish)
        client.send_presence()
        return client

    async def test_failover_and_fallback(self) -> None:
        """All follow, both ways, and nobody is seen to leave."""
        await self.make_groups()
        gate = asyncio.Semaphore(LOGINS_AT_ONCE)
        clients = await asyncio.gather(*(self._log_in(f"user{number}", 1, gate)
                                         for number in range(SESSIONS)))
        chats = []
        for number in range(CHATS):
            contact = await self._log_in(f"contact{number}", 3, gate)
            await befriend(clients[number], contact)
            chats.append(Chat(clients[number], contact))
            chats[-1].begin(MESSAGE_INTERVAL_S * 5)
        for client in clients:
            self.cluster.ask(3, "user.assign", rows=[{"jid": client.jid, "node": 1}])

        for verb in ("failover", "fallback"):
            begin = time.monotonic()
            said = await self.ok_meanwhile("ha", verb, "1", "--rate", str(RATE), "--watch",
                                           "--json", "--timeout", "600")
            print(f"# {verb}: {said.out.splitlines()[-1]}")
            await self._expect_moved(clients, begin)
        await self.until_normal()
        judgement = Judgement()
        for chat in chats:
            judgement += await chat.end(STATE_TIMEOUT_S)
        print(f"# {judgement}")
        self.assertEqual(0, judgement.faults(), judgement)

    async def _expect_moved(self, clients: list[Client], since: float) -> None:
        """Each was dropped once, at the pace, and has resumed."""
        for client in clients:
            await client.wait_until(
                lambda client=client: any(event.name == "resumed" and event.at > since
                                          for event in client.events), RESUME_TIMEOUT_S, "resume")
        drops = sorted(event.at for client in clients for event in client.events
                       if event.name == "dropped" and event.at > since)
        resumes = [event.at for client in clients for event in client.events
                   if event.name == "resumed" and event.at > since]
        self.assertEqual((len(clients), len(clients)), (len(drops), len(resumes)))
        pace = (len(drops) - 1) / (drops[-1] - drops[0])
        print(f"# {pace:.1f} a second; {RATE} were asked for")
        self.assertLess(abs(pace - RATE), RATE * PACE_ERROR)
