"""The network of the tests does what it says."""

import itertools
import socket
import time
import unittest

from tools.local.network import Network, NotPermitted

PORT = 9
SILENCE_S = 0.2
UP_TIMEOUT_S = 10.0


class Cuts(unittest.TestCase):
    """Two nodes; datagrams between them arrive or do not."""

    def setUp(self) -> None:
        try:
            self.network = Network([1, 2])
        except NotPermitted as error:
            self.skipTest(str(error))
        self.addCleanup(self.network.close)
        self.sockets = {node_id: self._socket(node_id) for node_id in (1, 2)}
        self.numbers = itertools.count()
        self._wait_up()

    def _socket(self, node_id: int) -> socket.socket:
        with self.network.inside(node_id):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(one.close)
        one.bind((self.network.address(node_id), PORT))
        one.settimeout(SILENCE_S)
        return one

    def _wait_up(self) -> None:
        """A line that was just made takes a moment until it carries anything."""
        deadline = time.monotonic() + UP_TIMEOUT_S
        while not (self._passes(1, 2) and self._passes(2, 1)):
            self.assertLess(time.monotonic(), deadline, "the lines do not come up")

    def _passes(self, sender: int, receiver: int) -> bool:
        """Does this datagram arrive? An older one that comes late does not count."""
        text = str(next(self.numbers)).encode()
        self.sockets[sender].sendto(text, (self.network.address(receiver), PORT))
        try:
            while self.sockets[receiver].recv(16) != text:
                pass
        except TimeoutError:
            return False
        return True

    def test_directions(self) -> None:
        """A cut swallows what goes its way, and only that; healing ends it."""
        for cut, heard in ((self.network.mute, (False, True)),
                           (self.network.deafen, (True, False)),
                           (self.network.isolate, (False, False))):
            self.assertEqual((True, True), (self._passes(1, 2), self._passes(2, 1)))
            cut(1)
            self.assertEqual(heard, (self._passes(1, 2), self._passes(2, 1)))
            self.network.heal()
