"""The scenarios of tests/interop/scenarios, each played three ways (scenarios/README.md).

Method: a cluster for each way, new accounts for each scenario, and the same expectations however
the clients are placed and whatever becomes of their nodes.
"""

import asyncio
import os
import random
import unittest
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from tests.interop.scenario_clients import Company
from tests.lib import scenario
from tests.lib.cluster import TestCluster
from tests.lib.scenario_play import ScenarioFailed

SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))


class Way(unittest.IsolatedAsyncioTestCase):
    """A cluster, and how a scenario is played on it."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.wait_written()

    def nodes(self, _stem: str) -> list[int]:
        """Of the first client, the second and so on."""
        return self.cluster.ids

    async def play(self, path: Path) -> None:
        """One scenario."""
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients
        company = Company(self.cluster, scenario.read(path), self.nodes(path.stem))
        try:
            await company.gather()
            await self.perform(company)
        finally:
            await company.close()

    async def perform(self, company: Company) -> None:
        """From the first step to the last."""
        await company.play()


def each_scenario(way: type[Way]) -> type[Way]:
    """A test for each file."""
    def test_of(path: Path) -> Callable[[Way], Awaitable[None]]:
        async def test(self: Way) -> None:
            await self.play(path)
        return test

    for path in scenario.files():
        setattr(way, scenario.method_name(path), test_of(path))
    return way


@each_scenario
class OneNode(Way):
    """All clients on one node: of one scenario the leader, of another a follower."""

    def nodes(self, stem: str) -> list[int]:
        """The same one for all."""
        ids = self.cluster.ids
        return [ids[zlib.crc32(stem.encode()) % len(ids)]]


@each_scenario
class ThreeNodes(Way):
    """Clients next to each other in a scenario on different nodes."""


@each_scenario
class NodeKilled(Way):
    """As on three nodes; before a step that the seed draws a client's node dies."""

    async def perform(self, company: Company) -> None:
        """The node is there again for the next scenario."""
        chance = random.Random(f"{SEED} {company.scenario.path.stem}")
        drawn = chance.randrange(1, len(company.scenario.steps))
        killed = f"MUSTER_SEED={SEED}: no node was killed"

        async def between(index: int) -> None:
            nonlocal killed
            places = [(name, node) for name, actor in company.actors.items()
                      if (node := actor.node_now()) is not None]
            if company.dead is None and index >= drawn and places:
                name, company.dead = chance.choice(places)
                killed = (f"MUSTER_SEED={SEED}: killed {name}'s node {company.dead} before line "
                          f"{company.scenario.steps[index].line}")
                self.cluster.kill(company.dead)

        try:
            await company.play(between)
        except ScenarioFailed as error:
            raise ScenarioFailed(f"{killed}\n{error}") from None
        finally:
            if company.dead is not None:
                await self.cluster.start(company.dead)
        self.assertIsNotNone(company.dead, killed)
        print(f"# {killed}")
