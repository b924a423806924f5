"""How long a message takes from one user to another on another node."""

import argparse
import itertools

from tests.lib.cluster import PASSWORD, TestCluster
from tools.measure.figures import Figures
from tools.measure.talker import Talker


def _one_message(sender: Talker, receiver: Talker, body: str) -> float:
    """Milliseconds from sending it to its bytes at the other side."""
    left_at = sender.send_message(receiver.full_jid, body)
    here_at = receiver.wait_message(body)
    sender.wait_acknowledged()
    return (here_at - left_at) * 1000


async def measure(cluster: TestCluster, options: argparse.Namespace) -> list[Figures]:
    """From sending a message to its bytes at a user on another node, one at a time, over TLS.

    One user on each node, and each pair of nodes in turn. All use XEP-0198, so a message waits for
    two commits: its own and its number's."""
    leader = await cluster.wait_leader()
    users = {}
    for node_id in cluster.ids:
        jid = cluster.add_user(f"user{node_id}")
        address = cluster.addresses(node_id, direct=True)[0]
        users[node_id] = Talker(jid, PASSWORD, address, cluster.cluster.ca)

    pairs = itertools.cycle(itertools.permutations(cluster.ids, 2))
    samples: list[float] = []
    between_followers: list[float] = []
    for count, pair in enumerate(itertools.islice(pairs, options.samples)):
        took_ms = _one_message(users[pair[0]], users[pair[1]], f"sample {count}")
        samples.append(took_ms)
        if leader not in pair:
            between_followers.append(took_ms)
    for one in users.values():
        one.close()
    figures = [Figures("message between users of different nodes", samples)]
    if between_followers:
        figures.append(Figures("of these, between two followers", between_followers))
    return figures
