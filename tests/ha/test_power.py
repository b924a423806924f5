"""All three nodes of a cluster lose their power one after the other, and get it back in any order.

MUSTER_POWER_ORDERS says how many of the 36 pairs of an order down and an order up are taken; which
ones comes from the seed.
"""

import asyncio
import itertools
import os

from tests.ha.scene import HaTest
from tests.kill.scene import RESUME_TIMEOUT_S, Scene

ORDERS = int(os.environ.get("MUSTER_POWER_ORDERS", "3"))
LONGEST_PAUSE_S = 0.5


class Power(HaTest):
    """Two nodes of a group and one that votes, all with clients."""

    groups = ((1, 2),)
    up_options = ("--nodes", "3")

    def others(self) -> list[int]:
        """The third node."""
        return [3]

    async def test_orders(self) -> None:
        """kill -9 of one after the other, also of the last; start of one after the other. The
        cluster serves as soon as two are back, all clients resume, the group returns to Normal."""
        orders = list(itertools.permutations(self.cluster.ids))
        left = self.chance.sample(list(itertools.product(orders, orders)), ORDERS)
        await self.make_groups()

        async def act(scene: Scene, _: int) -> None:
            down, up = left.pop()
            print(f"# down {down}, up {up}", flush=True)
            await self._power_cycle(scene, down, up)

        await self.run_losses(ORDERS, lambda scene: 0, act)

    async def _power_cycle(self, scene: Scene, down: tuple[int, ...], up: tuple[int, ...]) -> None:
        before = [client.event_count("resumed") for client in scene.clients]
        for node in down:
            self.cluster.kill(node)
            await asyncio.sleep(self.chance.uniform(0, LONGEST_PAUSE_S))
        for node in up:
            await asyncio.to_thread(self.cluster.start_and_leave, node)
            await asyncio.sleep(self.chance.uniform(0, LONGEST_PAUSE_S))
        for client, count in zip(scene.clients, before):
            await client.wait_until(
                lambda client=client, count=count: client.event_count("resumed") > count,
                RESUME_TIMEOUT_S, f"resume after {down}, {up}")
        await self.until_normal()
        await self.expect_one_owner(scene)
