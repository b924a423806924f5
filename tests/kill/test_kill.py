"""Nodes die at random moments while clients chat through resumable sessions (P1 to P4, P7)."""

import os

from tests.kill.scene import KillTest, Scene

KILLS = int(os.environ.get("MUSTER_KILLS", "30"))


class Kill(KillTest):
    """Each kind of victim gets its share of the kills."""

    async def test_leader(self) -> None:
        """The leader is killed: nothing is lost, repeated or reordered."""
        await self.run_losses(KILLS // 3,
                              lambda scene: scene.cluster.leader() or scene.cluster.ids[0])

    async def test_follower(self) -> None:
        """A follower is killed: nothing is lost, repeated or reordered."""
        def choose(scene: Scene) -> int:
            leader = scene.cluster.leader()
            return scene.chance.choice([one for one in scene.cluster.ids if one != leader])
        await self.run_losses(KILLS // 3, choose)

    async def test_node_of_a_client(self) -> None:
        """The node that a client of our choice is on is killed, whatever its role."""
        def choose(scene: Scene) -> int:
            address = scene.chance.choice(scene.clients).address
            assert address is not None
            return scene.cluster.node_at(address)
        await self.run_losses(KILLS - 2 * (KILLS // 3), choose)

    async def test_hang(self) -> None:
        """A node hangs (SIGSTOP) with its connections open: its clients go on elsewhere, and when
        it wakes up it does no harm."""
        async def hang(scene: Scene, victim: int) -> None:
            await scene.lose_node(victim, self.cluster.pause)
            self.cluster.unpause(victim)
            await self.cluster.wait_equal()
        await self.run_losses(2, lambda scene: scene.chance.choice(scene.cluster.ids), hang)
