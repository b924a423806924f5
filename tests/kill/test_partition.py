"""A node is cut off from the others, wholly or in one direction, while its clients still reach it
(P2, P4, P6, P7, P8).

Method: every node has a network of its own behind the test's. Two probes ask the cut node for as
long as it is cut off: a session for acknowledgements, a stranger for logins. The others write into
their log when they presume it dead. No question that was asked later than that may be answered.
A node that is stopped (SIGSTOP) and goes on later is asked in the same way. MUSTER_CUTS says how
many cuts there are in all, MUSTER_HANG_S for how long a node is stopped.
"""

import asyncio
import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from tests.kill.scene import KillTest, Scene
from tests.lib.cluster import POLL_S, TestCluster
from tests.lib.xmpp_client import CANCEL_AGAIN_S, Client
from tests.lib.xmpp_stream import StreamError
from tools.local.network import Network, NotPermitted

CUTS = int(os.environ.get("MUSTER_CUTS", "6"))
HANG_S = float(os.environ.get("MUSTER_HANG_S", "4"))
REFUSING_S = 1.0
DEATH_TIMEOUT_S = 20.0
HEAL_TIMEOUT_S = 30.0
CLOCKS_APART_S = 0.005
PRESUMED = re.compile(r"^(\S+)Z \w+ core\.node_presumed_dead node=(\d+) ", re.MULTILINE)


class Probe:
    """Asks one node until it is stopped; knows when those questions were asked that got an
    answer."""

    def __init__(self, cluster: TestCluster, jid: str, node_id: int) -> None:
        self.acked_at: list[float] = []
        self.logged_in_at: list[float] = []
        self._client = lambda: cluster.client(jid, node_id, direct=True, resumable=False)
        self._tasks = [asyncio.create_task(one) for one in (self._ask(), self._log_in())]

    async def stop(self) -> None:
        """Ask no more."""
        running = set(self._tasks)
        while running:
            for task in running:
                task.cancel()  # wait_for() of Python 3.11 may swallow it: then once more
            _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
        for task in self._tasks:
            if not task.cancelled() and not isinstance(task.exception(), StreamError):
                raise AssertionError(f"a probe ended: {task.exception()!r}")

    async def begun(self) -> None:
        """Wait until both questions have been answered."""
        while not (self.acked_at and self.logged_in_at):
            await asyncio.sleep(POLL_S)

    async def _ask(self) -> None:
        """One session: <r/>, <a/>, and so on; it ends with the connection."""
        client = self._client()
        await client.start()
        try:
            while True:
                asked_at = time.monotonic()
                await client.next_ack(HANG_S + DEATH_TIMEOUT_S)
                self.acked_at.append(asked_at)
                await asyncio.sleep(POLL_S)
        finally:
            await client.vanish()

    async def _log_in(self) -> None:
        """A new session again and again."""
        while True:
            client = self._client()
            asked_at = time.monotonic()
            try:
                await client.start()
                self.logged_in_at.append(asked_at)
            except (OSError, StreamError, asyncio.TimeoutError):
                pass
            finally:
                await client.vanish()
            await asyncio.sleep(POLL_S)


class Partition(KillTest):
    """The leader is cut off, then a follower."""

    def make_cluster(self) -> TestCluster:
        """Three nodes, each in its own network."""
        try:
            self.network = Network([1, 2, 3])
        except NotPermitted as error:
            self.skipTest(str(error))
        self.addCleanup(self.network.close)
        self.numbers = itertools.count(1)
        return TestCluster("--nodes", "3", *self.network.up_options(),
                           launcher=self.network.launcher())

    async def _run_cuts(self, count: int, act: Callable[[Scene, int], Awaitable[None]]) -> None:
        """Leaders and followers in turn."""
        roles = itertools.cycle(["leader", "follower"])

        def choose(scene: Scene) -> int:
            leader = scene.cluster.leader()
            assert leader is not None
            followers = [one for one in scene.cluster.ids if one != leader]
            return leader if next(roles) == "leader" else scene.chance.choice(followers)

        await self.run_losses(count, choose, act)

    async def _run_thirds(self, cut: Callable[[int], None]) -> None:
        async def act(scene: Scene, victim: int) -> None:
            await self._cut_and_heal(scene, victim, cut)
        await self._run_cuts(max(1, CUTS // 3), act)

    async def _cut_and_heal(self, scene: Scene, victim: int, cut: Callable[[int], None]) -> None:
        """One cut, the judgement on who did what when, and the way back to three equal nodes."""
        async def still_refuses() -> float:
            await asyncio.sleep(REFUSING_S)
            return time.monotonic()
        orphans = await self._lose_probed(scene, victim, cut, still_refuses)
        self.assertFalse(self.cluster.ask(victim, "node.status")["serving"])
        self.network.heal()
        await self.cluster.wait_serving(victim, HEAL_TIMEOUT_S)
        await self.cluster.wait_equal()
        await scene.return_clients(victim, orphans)

    async def _stop_and_go_on(self, scene: Scene, victim: int) -> None:
        """One stop; what was asked meanwhile waits in the sockets when the node goes on."""
        async def go_on() -> float:
            await asyncio.sleep(HANG_S)
            back_at = time.monotonic()
            self.cluster.unpause(victim)
            await asyncio.sleep(REFUSING_S)
            return back_at
        orphans = await self._lose_probed(scene, victim, self.cluster.pause, go_on)
        await self.cluster.wait_serving(victim, HEAL_TIMEOUT_S)
        await self.cluster.wait_equal()
        await scene.return_clients(victim, orphans)

    async def _lose_probed(self, scene: Scene, victim: int, take: Callable[[int], None],
                           meanwhile: Callable[[], Awaitable[float]]) -> list[Client]:
        """Take a node away from the others, and judge when it answered whom. meanwhile() says from
        when on it may do so again."""
        probe = Probe(self.cluster, self.cluster.add_user(f"probe{next(self.numbers)}"), victim)
        await probe.begun()
        wall_s = _wall_ahead_s()
        taken_at = 0.0

        def lose(node_id: int) -> None:
            nonlocal taken_at
            take(node_id)
            taken_at = time.monotonic()
        orphans = await scene.lose_node(victim, lose)
        presumed_at = await self._presumed_dead(victim, taken_at + wall_s) - wall_s
        back_at = await meanwhile()
        await probe.stop()
        self.assertLess(abs(_wall_ahead_s() - wall_s), CLOCKS_APART_S, "somebody set the clock")
        last = [max(at for at in times if at < back_at) - taken_at
                for times in (probe.acked_at, probe.logged_in_at)]
        print(f"# node {victim} taken: last ack asked after {last[0] * 1000:.0f} ms, last login "
              f"after {last[1] * 1000:.0f} ms, presumed dead after "
              f"{(presumed_at - taken_at) * 1000:.0f} ms")
        self.assertLess(max(last), presumed_at - taken_at,
                        "it served when the others took it for dead")
        return orphans

    async def _presumed_dead(self, victim: int, after_wall_s: float) -> float:
        """When, by the wall clock, one of the others wrote that it presumes the node dead."""
        deadline = time.monotonic() + DEATH_TIMEOUT_S
        while time.monotonic() < deadline:
            for node in self.cluster.cluster.nodes:
                for when, who in PRESUMED.findall(Path(node.log).read_text()):
                    wall_s = datetime.fromisoformat(when + "+00:00").timestamp()
                    if int(who) == victim != node.id and wall_s >= after_wall_s:
                        return wall_s
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"nobody presumed node {victim} dead")

    async def test_isolated(self) -> None:
        """Nothing passes in either direction."""
        await self._run_thirds(self.network.isolate)

    async def test_mute(self) -> None:
        """The node hears the others, but they do not hear it."""
        await self._run_thirds(self.network.mute)

    async def test_deaf(self) -> None:
        """The others hear the node, but it does not hear them."""
        await self._run_thirds(self.network.deafen)

    async def test_stopped(self) -> None:
        """The process stands still for a while with all its connections open, and goes on."""
        await self._run_cuts(2, self._stop_and_go_on)


def _wall_ahead_s() -> float:
    """The wall clock, in which the nodes write, over the monotonic one, by which we judge."""
    return time.time() - time.monotonic()
