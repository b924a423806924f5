"""Two nodes that serve and a witness: either of the two may die (P1 to P4, P7)."""

import asyncio
import itertools
import time

from tests.kill.scene import KillTest, Scene
from tests.lib.cluster import POLL_S, TestCluster

KILLS = 4
LEAD_TIMEOUT_S = 15.0
SERVING = [1, 2]
WITNESS = 3


class Witness(KillTest):
    """Nodes 1 and 2 have the clients, node 3 votes."""

    def make_cluster(self) -> TestCluster:
        """Two nodes that serve, and a witness."""
        return TestCluster("--nodes", str(len(SERVING)), "--witnesses", "1")

    async def _wait_led_by(self, node_ids: list[int]) -> None:
        deadline = time.monotonic() + LEAD_TIMEOUT_S
        while (leader := self.cluster.leader()) not in node_ids:
            self.assertLess(time.monotonic(), deadline, f"node {leader} leads")
            await asyncio.sleep(POLL_S)

    async def test_serving_nodes_in_turn(self) -> None:
        """One node that serves is killed, then the other: the clients go on at the one that is
        left, which soon leads; nothing is lost, repeated or reordered."""
        victims = itertools.cycle(SERVING)

        async def lose(scene: Scene, victim: int) -> None:
            orphans = await scene.lose_node(victim, self.cluster.kill)
            await self._wait_led_by([one for one in SERVING if one != victim])
            await self.cluster.start(victim)
            await self.cluster.wait_equal()
            await scene.return_clients(victim, orphans)

        await self.run_losses(KILLS, lambda scene: next(victims), lose)

    async def test_witness_dies(self) -> None:
        """The witness is killed and comes back: the clients notice nothing."""
        async def lose(scene: Scene, victim: int) -> None:
            await scene.kill_and_restart(victim)
            await self._wait_led_by(SERVING)

        await self.run_losses(2, lambda scene: WITNESS, lose)

    async def test_elected_witness_hands_on(self) -> None:
        """Leadership that is given to the witness comes back, each time, and at once."""
        term = await self._wait_witness_led(0)
        for _ in range(3):
            self.cluster.ask(WITNESS, "cluster.transfer", node=WITNESS)
            given_at = time.monotonic()
            term = await self._wait_witness_led(term + 2)
            print(f"# back after {(time.monotonic() - given_at) * 1000:.0f} ms")

    async def _wait_witness_led(self, term_min: int) -> int:
        """Wait until the witness follows one that serves; the term, which the others may not yet
        know of."""
        deadline = time.monotonic() + LEAD_TIMEOUT_S
        while True:
            status = self.cluster.ask(WITNESS, "node.status")
            if status["leader"] in SERVING and status["term"] >= term_min:
                return status["term"]
            self.assertLess(time.monotonic(), deadline, status)
            await asyncio.sleep(POLL_S)

    async def test_node_that_is_behind(self) -> None:
        """Only the witness has what was committed last: it is elected, and hands on once the node
        that comes back has that too. What was answered is still there."""
        await self._wait_led_by(SERVING)
        self.cluster.kill(1)
        await self._wait_led_by([2])
        jids = [self.cluster.add_user(f"user{number}") for number in range(5)]
        self.cluster.kill(2)
        await self.cluster.start(1)
        await self._wait_led_by([1])
        for jid in jids:
            self.cluster.ask(1, "user.show", user=jid)
        await self.cluster.start(2)
        await self.cluster.wait_equal()
