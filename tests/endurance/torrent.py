"""Clients that write as fast as nodes take it: long numbered messages, some under way at once."""

import asyncio
import time
from functools import partial

from tests.lib.cluster import TestCluster
from tests.lib.recorder import Judgement, Side, judge_numbers
from tests.lib.xmpp_client import Client

BODY = "x" * 20_000
UNDER_WAY = 20                # messages of one sender that are not acknowledged
NOT_ARRIVED = 100             # half of what a list may hold: a receiver that is slow is waited for
ARRIVAL_TIMEOUT_S = 60.0


class Torrent:
    """Senders and receivers in pairs, each pair on two of the given nodes."""

    def __init__(self, cluster: TestCluster, places: list[int]) -> None:
        self.cluster = cluster
        self._places = places
        self._clients: list[Client] = []
        self._sides: list[tuple[Side, Side]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._begun_at = 0.0
        self._ends = False

    @property
    def sent_bytes(self) -> int:
        """Content that was handed to the senders."""
        return sum(sender.sent for sender, _ in self._sides) * len(BODY)

    @property
    def acked_per_s(self) -> float:
        """Messages a second that the cluster has accepted, since begin()."""
        acked = sum(sender.client.acked_messages for sender, _ in self._sides)
        return acked / (time.monotonic() - self._begun_at)

    async def begin(self, pairs: int) -> None:
        """Log in, and send until end()."""
        for number in range(pairs):
            pair = []
            for offset, name in enumerate(("sender", "receiver")):
                place = self._places[(number + offset) % len(self._places)]
                client = self.cluster.client(self.cluster.add_user(f"{name}{number}"), place)
                await client.start()
                client.send_presence()
                pair.append(client)
            self._clients += pair
            sender, receiver = Side(pair[0], pair[1].jid), Side(pair[1], pair[0].jid)
            for side in (sender, receiver):
                side.client.on_stanza = side.on_stanza
            self._sides.append((sender, receiver))
        self._begun_at = time.monotonic()
        self._tasks = [asyncio.create_task(self._pour(*pair)) for pair in self._sides]

    def check(self) -> None:
        """Raise what a sender has come to grief of."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def end(self) -> Judgement:
        """Stop, wait until all has arrived, judge, log out."""
        self._ends = True
        await asyncio.gather(*self._tasks)
        total = Judgement()
        for sender, receiver in self._sides:
            await sender.client.all_acked(ARRIVAL_TIMEOUT_S)
            await receiver.client.wait_until(partial(_all_arrived, sender, receiver),
                                             ARRIVAL_TIMEOUT_S, "all messages")
            total += judge_numbers(sender.sent, receiver.received)
            total.errors_seen += sender.errors_seen
        for client in self._clients:
            await client.close()
        return total

    async def _pour(self, side: Side, receiver: Side) -> None:
        client = side.client
        while not self._ends:
            await client.wait_until(lambda: side.sent - client.acked_messages < UNDER_WAY,
                                    ARRIVAL_TIMEOUT_S, "acknowledgements")
            await receiver.client.wait_until(
                lambda: side.sent - len(receiver.received) < NOT_ARRIVED,
                ARRIVAL_TIMEOUT_S, "messages")
            side.sent += 1
            client.send_message(side.peer, f"number {side.sent} {BODY}")
            await asyncio.sleep(0)


def _all_arrived(sender: Side, receiver: Side) -> bool:
    return len(set(receiver.received)) >= sender.sent
