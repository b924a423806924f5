"""A node is cut off from the others, wholly or in one direction, while its clients still reach it
(P2, P4, P6, P7, P8).

Method: every node has a network of its own behind the test's. Two probes ask the cut node for as
long as it is cut off: a session for acknowledgements, a stranger for logins. The others write into
their log when they presume it dead. No question that was asked later than that may be answered.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.kill.scene import KillTest, Scene
from tests.lib.cluster import POLL_S, TestCluster
from tests.lib.network import Network, NotPermitted
from tests.lib.xmpp_client import CANCEL_AGAIN_S
from tests.lib.xmpp_stream import StreamError

REFUSING_S = 1.0
DEATH_TIMEOUT_S = 20.0
HEAL_TIMEOUT_S = 30.0
CLOCKS_APART_S = 0.005
PRESUMED = re.compile(r"^(\S+)Z \w+ core\.node_presumed_dead node=(\d+) ", re.MULTILINE)


class Probe:
    """Asks one node until it is stopped; knows when the last question was asked that got an
    answer."""

    def __init__(self, cluster: TestCluster, jid: str, node_id: int) -> None:
        self.acked_at = 0.0
        self.logged_in_at = 0.0
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
                await client.next_ack(DEATH_TIMEOUT_S)
                self.acked_at = asked_at
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
                self.logged_in_at = asked_at
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

    async def _run_cuts(self, cut: Callable[[int], None]) -> None:
        roles = ["follower", "leader"]  # taken from the end

        def choose(scene: Scene) -> int:
            leader = scene.cluster.leader()
            assert leader is not None
            followers = [one for one in scene.cluster.ids if one != leader]
            return leader if roles.pop() == "leader" else scene.chance.choice(followers)

        async def act(scene: Scene, victim: int) -> None:
            await self._cut_and_heal(scene, victim, cut)
        await self.run_losses(len(roles), choose, act)

    async def _cut_and_heal(self, scene: Scene, victim: int, cut: Callable[[int], None]) -> None:
        """One cut, the judgement on who did what when, and the way back to three equal nodes."""
        probe = Probe(self.cluster, self.cluster.add_user(f"probe{next(self.numbers)}"), victim)
        await probe.begun()
        wall_s = _wall_ahead_s()
        cut_at = 0.0

        def lose(node_id: int) -> None:
            nonlocal cut_at
            cut(node_id)
            cut_at = time.monotonic()
        orphans = await scene.lose_node(victim, lose)
        presumed_at = await self._presumed_dead(victim, cut_at + wall_s) - wall_s
        await asyncio.sleep(REFUSING_S)  # it must go on refusing
        await probe.stop()
        self.assertLess(abs(_wall_ahead_s() - wall_s), CLOCKS_APART_S, "somebody set the clock")
        print(f"# node {victim} cut off: last ack asked after "
              f"{(probe.acked_at - cut_at) * 1000:.0f} ms, last login after "
              f"{(probe.logged_in_at - cut_at) * 1000:.0f} ms, presumed dead after "
              f"{(presumed_at - cut_at) * 1000:.0f} ms")
        self.assertLess(max(probe.acked_at, probe.logged_in_at), presumed_at,
                        "it served when the others took it for dead")
        self.assertFalse(self.cluster.ask(victim, "node.status")["serving"])
        self.network.heal()
        await self.cluster.wait_serving(victim, HEAL_TIMEOUT_S)
        await self.cluster.wait_equal()
        await scene.return_clients(victim, orphans)

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
        await self._run_cuts(self.network.isolate)

    async def test_mute(self) -> None:
        """The node hears the others, but they do not hear it."""
        await self._run_cuts(self.network.mute)

    async def test_deaf(self) -> None:
        """The others hear the node, but it does not hear them."""
        await self._run_cuts(self.network.deafen)


def _wall_ahead_s() -> float:
    """The wall clock, in which the nodes write, over the monotonic one, by which we judge."""
    return time.time() - time.monotonic()
