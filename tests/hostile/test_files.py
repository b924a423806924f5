"""More connections than the kernel lets a node open files."""

import asyncio

from tests.hostile.peer import Peer
from tests.hostile.scene import HostileCase

FILES = 600
CONNECTIONS = 700
PER_SOURCE = 100  # below limits.connections_per_address


class Files(HostileCase):
    """Files are left for the log, whoever comes."""

    launcher = f"prlimit --nofile={FILES}:{FILES}"
    limits = ["workers=4"]

    async def test_more_connections_than_files(self) -> None:
        """Strangers from several addresses: those that there is no room for are told so."""
        address = self.address(direct=False)
        peers = [await self.peer().dial(address, f"127.0.0.{60 + i // PER_SOURCE}")
                 for i in range(CONNECTIONS)]
        for _ in range(3):  # each is an entry of the log, so that it grows under the flood
            self.new_user("guest")
        refused = await asyncio.gather(*(self._is_refused(peer) for peer in peers[FILES:]))
        self.assertEqual({True}, set(refused))
        for peer in peers:
            peer.abort()
        log = self.log_text()
        self.assertEqual(1, log.count(" node.few_files "), log)

    async def _is_refused(self, peer: Peer) -> bool:
        """Does the server send it away?"""
        return await peer.last_words() == ["header", "error resource-constraint", "end"]
