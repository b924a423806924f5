"""How long a user or a command waits when a node is killed with -9."""

import argparse
import time

from tests.lib.cluster import TestCluster
from tests.lib.xmpp_client import Client
from tools.measure.figures import Figures

WAIT_S = 30.0


async def _log_in(cluster: TestCluster, name: str, node_id: int) -> Client:
    client = cluster.client(cluster.add_user(name), node_id)
    await client.start()
    client.send_presence()
    await client.all_acked()
    return client


async def _bring_back(cluster: TestCluster, victim: int) -> None:
    await cluster.start(victim)
    await cluster.wait_equal()


async def measure_resume(cluster: TestCluster, options: argparse.Namespace) -> list[Figures]:
    """From kill -9 of a client's node to <resumed/> on another node, over TLS.

    The client knows all addresses and notices the reset of its connection by itself."""
    samples = []
    for kill in range(options.kills):
        leader = await cluster.wait_leader()
        victim = leader if options.victim == "leader" else next(
            one for one in cluster.ids if one != leader)
        client = await _log_in(cluster, f"user{kill}", victim)
        killed_at = time.monotonic()
        cluster.kill(victim)
        await client.wait_until(lambda: client.event_count("resumed") > 0, WAIT_S, "resume")
        resumed_at = next(event.at for event in client.events if event.name == "resumed")
        samples.append((resumed_at - killed_at) * 1000)
        await client.close()
        await _bring_back(cluster, victim)
    return [Figures(f"kill -9 of the client's node ({options.victim}) to <resumed/>", samples)]


async def measure_commit(cluster: TestCluster, options: argparse.Namespace) -> list[Figures]:
    """From kill -9 of the Raft leader to the next committed command.

    The command is a message that a client of a surviving node sends the moment the leader is dead;
    it is committed when the server acknowledges it."""
    samples = []
    for kill in range(options.kills):
        leader = await cluster.wait_leader()
        survivor = next(one for one in cluster.ids if one != leader)
        client = await _log_in(cluster, f"user{kill}", survivor)
        killed_at = time.monotonic()
        cluster.kill(leader)
        client.send_message(client.jid, "after the death of the leader")
        await client.all_acked(WAIT_S)
        samples.append((time.monotonic() - killed_at) * 1000)
        await client.close()
        await _bring_back(cluster, leader)
    return [Figures("kill -9 of the leader to the next committed command", samples)]
