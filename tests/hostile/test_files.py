"""More connections than the kernel lets a node open files."""

import asyncio
import select
import socket
import time

from tests.hostile.scene import HostileCase
from tests.lib.xmpp_stream import Address

FILES = 600
CONNECTIONS = 700
HELD_MAX = FILES // 2  # the rest is for the node itself
PER_SOURCE = 100       # below limits.connections_per_address
TIMEOUT_S = 10.0


def flood(address: Address) -> list[socket.socket]:
    """Strangers from several addresses that say nothing."""
    return [socket.create_connection((address.host, address.port), TIMEOUT_S,
                                     (f"127.0.0.{60 + i // PER_SOURCE}", 0))
            for i in range(CONNECTIONS)]


def count_refused(strangers: list[socket.socket], wanted: int) -> int:
    """How many were sent away, once there are that many or the time is over."""
    poll = select.poll()
    waiting = {stranger.fileno(): stranger for stranger in strangers}
    for number in waiting:
        poll.register(number, select.POLLIN)
    refused = 0
    deadline = time.monotonic() + TIMEOUT_S
    while refused < wanted and time.monotonic() < deadline:
        for number, _ in poll.poll(100):
            poll.unregister(number)
            refused += b"resource-constraint" in waiting[number].recv(4096)
    return refused


class Files(HostileCase):
    """Files are left for the log, whoever comes."""

    launcher = f"prlimit --nofile={FILES}:{FILES}"
    limits = ["workers=4"]

    async def test_more_connections_than_files(self) -> None:
        """Those that there is no room for are told so; the log says once that files are few."""
        strangers = await asyncio.to_thread(flood, self.address(direct=False))
        for _ in range(3):  # each is an entry of the log, so that it grows under the flood
            self.new_user("guest")
        wanted = CONNECTIONS - HELD_MAX
        self.assertGreaterEqual(await asyncio.to_thread(count_refused, strangers, wanted), wanted)
        for stranger in strangers:
            stranger.close()
        log = self.log_text()
        self.assertEqual(1, log.count(" node.few_files "), log)
