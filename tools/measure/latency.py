"""How long a message takes from one user to another on another node."""

import argparse
import time
import xml.etree.ElementTree as ET

from tests.lib.cluster import TestCluster
from tests.lib.xmpp_client import MESSAGE
from tools.measure.figures import Figures

WAIT_S = 10.0


async def measure(cluster: TestCluster, options: argparse.Namespace) -> list[Figures]:
    """From sending a message to its bytes at a user on another node, one at a time, over TLS.

    Both clients use XEP-0198, so the message waits for two commits: its own and its number's."""
    leader = await cluster.wait_leader()
    others = [one for one in cluster.ids if one != leader] or [leader]
    sender = cluster.client(cluster.add_user("sender"), others[0])
    receiver = cluster.client(cluster.add_user("receiver"), others[-1])
    for client in (sender, receiver):
        await client.start()
        client.send_presence()
        await client.all_acked()

    arrived: list[float] = []

    def on_stanza(stanza: ET.Element) -> None:
        if stanza.tag == MESSAGE:
            arrived.append(receiver.stream.read_at)

    receiver.on_stanza = on_stanza
    samples = []
    for number in range(options.samples):
        sent_at = time.monotonic()
        sender.send_message(receiver.full_jid, f"sample {number}")
        await receiver.wait_until(lambda count=number: len(arrived) > count, WAIT_S, "the message")
        samples.append((arrived[number] - sent_at) * 1000)
    for client in (sender, receiver):
        await client.close()
    return [Figures("message between users of different nodes", samples)]
