"""Measure what operators and users notice: how long a failover takes, how long a message travels,
what an idle cluster costs. Each run makes a cluster of its own; machines differ, so compare runs of
the same minute only."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from tests.lib.cluster import TestCluster
from tools.measure import failover, idle, latency
from tools.measure.figures import Figures

Measurement = Callable[[TestCluster, argparse.Namespace], Awaitable[list[Figures]]]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    top.add_argument("--nodes", type=int, default=3)
    kinds = top.add_subparsers(dest="kind", required=True)

    def kind(name: str, measure: Measurement) -> argparse.ArgumentParser:
        one = kinds.add_parser(name, help=measure.__doc__.split("\n")[0],
                               description=measure.__doc__)
        one.set_defaults(measure=measure)
        return one

    one = kind("resume", failover.measure_resume)
    one.add_argument("--kills", type=int, default=20)
    one.add_argument("--victim", choices=["leader", "follower"], default="follower")
    one = kind("commit", failover.measure_commit)
    one.add_argument("--kills", type=int, default=20)
    one = kind("latency", latency.measure)
    one.add_argument("--samples", type=int, default=200)
    one = kind("idle", idle.measure)
    one.add_argument("--seconds", type=float, default=60.0)
    return top


def main() -> int:
    """Run one measurement on a fresh cluster and print its figures."""
    options = parser().parse_args()
    cluster = TestCluster("--nodes", str(options.nodes))
    try:
        for figures in asyncio.run(options.measure(cluster, options)):
            print(figures)
    finally:
        cluster.close()
    return 0
