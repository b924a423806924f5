"""A rolling restart, as for an upgrade: each node is drained, stopped, started, and gets its users
back, in any order."""

import asyncio
import time

from tests.ha.scene import POLL_S, STATE_TIMEOUT_S, HaTest
from tests.kill.scene import Scene


class Rolling(HaTest):
    """Two nodes of a group and one that is in none, all with clients."""

    groups = ((1, 2),)
    up_options = ("--nodes", "3")

    def others(self) -> list[int]:
        """The third node."""
        return [3]

    async def test_restart(self) -> None:
        """upgrade-check, drain, stop, start, fallback: of each node, in an order by chance."""
        order = self.chance.sample(self.cluster.ids, len(self.cluster.ids))
        left = list(order)
        await self.make_groups()
        print(f"# order {order}", flush=True)
        await self.run_losses(len(order), lambda scene: left.pop(0), self._restart)

    async def _restart(self, scene: Scene, node: int) -> None:
        deadline = time.monotonic() + STATE_TIMEOUT_S
        while (said := await asyncio.to_thread(self.ctl, "cluster", "upgrade-check")).code != 0:
            self.assertLess(time.monotonic(), deadline, said)
            await asyncio.sleep(POLL_S)
        await self.ok_meanwhile("ha", "drain", str(node), "--rate", "100/s", "--watch")
        self.assertEqual([], scene.clients_of(node))
        self.stop(node)
        await asyncio.to_thread(self.cluster.wait_gone, node)
        await self.cluster.start(node)
        await self.ok_meanwhile("ha", "fallback", str(node), "--watch")
        await self.until_normal()
        await self.expect_one_owner(scene)
