"""How long a message takes from one user to another on another node."""

import argparse
import itertools
import time
import xml.etree.ElementTree as ET

from tests.lib.cluster import TestCluster
from tests.lib.xmpp_client import MESSAGE, Client
from tools.measure.figures import Figures

WAIT_S = 10.0


class Mailbox:
    """When each message reached a user."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.arrived: list[float] = []
        client.on_stanza = self._take

    def _take(self, stanza: ET.Element) -> None:
        if stanza.tag == MESSAGE:
            self.arrived.append(self.client.stream.read_at)


async def _one_message(sender: Client, receiver: Mailbox) -> float:
    """Milliseconds from sending it to its bytes at the other side."""
    count = len(receiver.arrived)
    sent_at = time.monotonic()
    sender.send_message(receiver.client.full_jid, f"sample {count}")
    await receiver.client.wait_until(lambda: len(receiver.arrived) > count, WAIT_S, "the message")
    return (receiver.arrived[count] - sent_at) * 1000


async def measure(cluster: TestCluster, options: argparse.Namespace) -> list[Figures]:
    """From sending a message to its bytes at a user on another node, one at a time, over TLS.

    One user on each node, and each pair of nodes in turn. All use XEP-0198, so a message waits for
    two commits: its own and its number's."""
    leader = await cluster.wait_leader()
    users = {}
    for node_id in cluster.ids:
        client = cluster.client(cluster.add_user(f"user{node_id}"), node_id)
        await client.start()
        client.send_presence()
        await client.all_acked()
        users[node_id] = Mailbox(client)

    pairs = itertools.cycle(itertools.permutations(cluster.ids, 2))
    samples: list[float] = []
    between_followers: list[float] = []
    for pair in itertools.islice(pairs, options.samples):
        took_ms = await _one_message(users[pair[0]].client, users[pair[1]])
        samples.append(took_ms)
        if leader not in pair:
            between_followers.append(took_ms)
    for one in users.values():
        await one.client.close()
    figures = [Figures("message between users of different nodes", samples)]
    if between_followers:
        figures.append(Figures("of these, between two followers", between_followers))
    return figures
