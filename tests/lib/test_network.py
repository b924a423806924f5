"""The network of the tests does what it says."""

import socket
import unittest

from tests.lib.network import Network, NotPermitted

PORT = 9
SILENCE_S = 0.2


class Cuts(unittest.TestCase):
    """Two nodes; datagrams between them arrive or do not."""

    def setUp(self) -> None:
        try:
            self.network = Network([1, 2])
        except NotPermitted as error:
            self.skipTest(str(error))
        self.addCleanup(self.network.close)
        self.sockets = {node_id: self._socket(node_id) for node_id in (1, 2)}

    def _socket(self, node_id: int) -> socket.socket:
        with self.network.inside(node_id):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(one.close)
        one.bind((self.network.address(node_id), PORT))
        one.settimeout(SILENCE_S)
        return one

    def _passes(self, sender: int, receiver: int) -> bool:
        self.sockets[sender].sendto(b"x", (self.network.address(receiver), PORT))
        try:
            return self.sockets[receiver].recv(1) == b"x"
        except TimeoutError:
            return False

    def test_directions(self) -> None:
        """A cut swallows what goes its way, and only that; healing ends it."""
        for cut, heard in ((self.network.mute, (False, True)),
                           (self.network.deafen, (True, False)),
                           (self.network.isolate, (False, False))):
            self.assertEqual((True, True), (self._passes(1, 2), self._passes(2, 1)))
            cut(1)
            self.assertEqual(heard, (self._passes(1, 2), self._passes(2, 1)))
            self.network.heal()
