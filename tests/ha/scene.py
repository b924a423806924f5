"""Redundancy groups on real processes, and what operators see of them while nodes are taken away.

Method of all tests here: pairs of clients chat through resumable sessions all the while. A node is
taken away or moved; the states and reasons must be those of docs/ha.md, every session live at one
node, and when all is well again the groups must return to Normal without an operator. At the end
nothing may be lost, repeated or reordered, and no contact may have seen anybody unavailable.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

from tests.kill.scene import RESUME_TIMEOUT_S, KillTest, Scene
from tests.lib.cluster import TestCluster
from tests.operator.ctl import ClusterCtl, Said
from tests.operator.hang import hanging
from tools.local import processes
from tools.local.network import Network, NotPermitted

FALLBACK_S = 2
SERVICE_S = 2
STATE_TIMEOUT_S = 45.0
POLL_S = 0.1
TIMERS = ("--timer", f"fallback_s={FALLBACK_S}", "--timer", f"service_s={SERVICE_S}")

View = tuple[str, str]
NORMAL: View = ("Normal", "")
DOWN: View = ("Unknown", "Node Down")
STOPPED: View = ("Unknown", "Node Stopped")


def backup(reason: str) -> View:
    """A node that serves its peer's users."""
    return ("Running in Backup Mode", reason)


class HaTest(ClusterCtl, KillTest):
    """A cluster with groups; subclasses say which nodes stand in for each other."""

    groups: tuple[tuple[int, int], ...] = ()
    up_options: tuple[str, ...] = ()

    def make_cluster(self) -> TestCluster:
        """Each node in a network of its own, if that may be."""
        ids = sorted(node for group in self.groups for node in group) + self.others()
        try:
            self.network: Network | None = Network(ids)
        except NotPermitted:
            self.network = None
            return TestCluster(*self.up_options, *TIMERS)
        self.addCleanup(self.network.close)
        return TestCluster(*self.up_options, *TIMERS, *self.network.up_options(),
                           launcher=self.network.launcher())

    def others(self) -> list[int]:
        """Nodes in no group."""
        return []

    # ------------------------------------------------------------ musterctl

    async def ok_meanwhile(self, *arguments: str) -> Said:
        """A call that must succeed; clients go on."""
        return await asyncio.to_thread(self.ok, *arguments)

    async def make_groups(self) -> None:
        """All groups, enabled and Normal."""
        for number, nodes in enumerate(self.groups, 1):
            await self.ok_meanwhile("group", "create", f"g{number}")
            for node in nodes:
                await self.ok_meanwhile("group", "add-node", f"g{number}", str(node))
            await self.ok_meanwhile("group", "enable", f"g{number}")
        await self.until({node: NORMAL for group in self.groups for node in group})

    def peer(self, node_id: int) -> int:
        """The node that stands in for a node."""
        one, other = next(group for group in self.groups if node_id in group)
        return other if node_id == one else one

    async def views(self) -> dict[int, View]:
        """State and reason of each node, as a node that serves sees it."""
        said = await asyncio.to_thread(self.ctl, "ha", "status", "--json")
        if said.code != 0:
            return {}
        return {node["node"]: (node["state"], node["reason"]) for node in said.json()["nodes"]}

    async def until(self, wanted: dict[int, View]) -> None:
        """Wait until nodes have these states and reasons."""
        deadline = time.monotonic() + STATE_TIMEOUT_S
        seen: dict[int, View] = {}
        while any(seen.get(node) != view for node, view in wanted.items()):
            self.assertLess(time.monotonic(), deadline, f"wanted {wanted}, seen {seen}")
            await asyncio.sleep(POLL_S)
            seen = await self.views()

    async def until_normal(self) -> None:
        """Wait until all nodes of all groups are Normal, and have the same state."""
        await self.until({node: NORMAL for group in self.groups for node in group})
        await self.cluster.wait_equal()

    async def expect_one_owner(self, scene: Scene) -> None:
        """Every client's session is live, and at the node that its client is connected to."""
        deadline = time.monotonic() + STATE_TIMEOUT_S
        while lost := await self._without_owner(scene):
            self.assertLess(time.monotonic(), deadline, lost)
            await asyncio.sleep(POLL_S)

    async def _without_owner(self, scene: Scene) -> list[str]:
        said = await self.ok_meanwhile("session", "list", "--json")
        owners = {f"{row['user']}/{row['resource']}": (row["state"], row["node"])
                  for row in said.json()["sessions"]}
        return [client.full_jid for client in scene.clients if owners.get(client.full_jid) !=
                ("live", client.address and self.cluster.node_at(client.address))]

    # ------------------------------------------------------------ rows of the table

    async def lose(self, scene: Scene, victim: int, take: Callable[[int], None],
                   gone: View) -> list:
        """A node goes, and its peer serves its users."""
        orphans = await scene.lose_node(victim, take)
        reason = "Peer Reboot" if gone == STOPPED else "Peer Down"
        await self.until({victim: gone, self.peer(victim): backup(reason)})
        await self.expect_one_owner(scene)
        return orphans

    async def row_killed(self, scene: Scene, victim: int) -> None:
        """kill -9, and its restart."""
        orphans = await self.lose(scene, victim, self.cluster.kill, DOWN)
        await self.cluster.start(victim)
        await self.until({victim: ("Failed Over", "Initialization")})
        await self.until_normal()
        await scene.return_clients(victim, orphans)

    async def row_stopped(self, scene: Scene, victim: int) -> None:
        """An orderly stop is told from a death."""
        orphans = await self.lose(scene, victim, self.stop, STOPPED)
        await asyncio.to_thread(self.cluster.wait_gone, victim)
        await self.cluster.start(victim)
        await self.until_normal()
        await scene.return_clients(victim, orphans)

    def stop(self, victim: int) -> None:
        """An orderly stop; not waited for."""
        processes.send_signal(self.cluster.node(victim), signal.SIGTERM)

    async def row_hung(self, scene: Scene, victim: int) -> None:
        """SIGSTOP of the whole process, with its connections open."""
        orphans = await self.lose(scene, victim, self.cluster.pause, DOWN)
        self.cluster.unpause(victim)
        await self.until_normal()
        await scene.return_clients(victim, orphans)

    async def row_cut(self, scene: Scene, victim: int,
                      cut: Callable[[Network, int], None]) -> None:
        """The node hears nothing, is not heard, or both, while clients still reach it."""
        network = self.network
        assert network is not None
        orphans = await self.lose(scene, victim, lambda node: cut(network, node), DOWN)
        network.heal()
        await self.cluster.wait_serving(victim, STATE_TIMEOUT_S)
        await self.until_normal()
        await scene.return_clients(victim, orphans)

    async def run_cuts(self, *victims: int) -> None:
        """A node is cut off wholly, one is not heard, one hears nothing."""
        if self.network is None:
            self.skipTest("needs to make network namespaces: run as root")

        async def isolated(scene: Scene, victim: int) -> None:
            await self.row_cut(scene, victim, Network.isolate)

        async def mute(scene: Scene, victim: int) -> None:
            await self.row_cut(scene, victim, Network.mute)

        async def deaf(scene: Scene, victim: int) -> None:
            await self.row_cut(scene, victim, Network.deafen)
        await self.run_rows(*zip(victims, (isolated, mute, deaf)))

    async def row_service_down(self, scene: Scene, victim: int) -> None:
        """A worker hangs for longer than the delay."""
        pid = processes.status(self.cluster.node(victim))["pid"]
        with hanging(pid, "worker"):
            await self.until({victim: ("Failed Over with Critical Services Not Running",
                                       "Critical Service Down"),
                              self.peer(victim): backup("Critical Service Down")})
        await self.until({victim: ("Failed Over", "Critical Service Down")})
        await self.until_normal()
        before = [client.acked_messages for client in scene.clients]
        for client, count in zip(scene.clients, before):
            await client.wait_until(lambda client=client, count=count:
                                    client.acked_messages > count, RESUME_TIMEOUT_S,
                                    "acknowledgement after the worker moves again")

    async def row_by_hand(self, scene: Scene, victim: int) -> None:
        """Failover and fallback on request: all sessions follow, and come back."""
        await self.ok_meanwhile("ha", "failover", str(victim), "--watch")
        await self.until({victim: ("Idle", "On Admin Request"),
                          self.peer(victim): backup("On Admin Request")})
        self.assertEqual([], scene.clients_of(victim))
        await self.expect_one_owner(scene)
        await self.ok_meanwhile("ha", "fallback", str(victim), "--watch")
        await self.until_normal()

    async def row_backup_breaks(self, scene: Scene, victim: int) -> None:
        """The peer dies while it serves the users of a failed over node: they go home unasked."""
        peer = self.peer(victim)
        await self.ok_meanwhile("ha", "failover", str(victim), "--watch")
        orphans = await scene.lose_node(peer, self.cluster.kill)
        await self.until({victim: backup("Peer Down"), peer: DOWN})
        await self.expect_one_owner(scene)
        await self.cluster.start(peer)
        await self.until_normal()
        await scene.return_clients(peer, orphans)

    async def row_both_die(self, scene: Scene, victim: int) -> None:
        """Both nodes of a group die, and come back in the same order."""
        peer = self.peer(victim)
        orphans = await self.lose(scene, victim, self.cluster.kill, DOWN)
        others = await scene.lose_node(peer, self.cluster.kill)
        await self.until({victim: DOWN, peer: DOWN})
        await self.expect_one_owner(scene)
        await self.cluster.start(victim)
        await self.until({victim: backup("Peer Down"), peer: DOWN})
        await self.cluster.start(peer)
        await self.until_normal()
        await scene.return_clients(victim, orphans)
        await scene.return_clients(peer, others)

    async def run_rows(self, *rows: tuple[int, Callable[[Scene, int], Awaitable[None]]]) -> None:
        """Each row with its victim, one after the other, while clients chat."""
        await self.make_groups()
        left = list(rows)

        async def act(scene: Scene, victim: int) -> None:
            row = left.pop(0)[1]
            print(f"# node {victim}: {row.__name__}", flush=True)
            await row(scene, victim)

        await self.run_losses(len(rows), lambda scene: left[0][0], act)
