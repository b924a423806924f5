"""The network of the tests does what it says."""

import itertools
import os
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

from tools.local.network import Network, NotPermitted

ROOT = Path(__file__).resolve().parents[2]
PORT = 9
SILENCE_S = 0.2
UP_TIMEOUT_S = 10.0


# A process of its own: it gives rights up.
TRY = """
from tools.local.network import Network, NotPermitted
try:
    Network([1])
except NotPermitted as error:
    print(error)
"""


class Permission(unittest.TestCase):
    """Who may not make networks, or cannot, is told so: tests are skipped then, or try less."""

    def test_not_permitted(self) -> None:
        """Without the right, as in a container or for a user, and without the program."""
        without = ["setpriv", "--bounding-set=-sys_admin"] if os.geteuid() == 0 else []
        for words, path, why in ((without, os.environ["PATH"], "run as root"),
                                 ([], "/nowhere", "iproute2")):
            done = subprocess.run([*words, sys.executable, "-B", "-c", TRY], cwd=ROOT, text=True,
                                  env={**os.environ, "PATH": path}, capture_output=True,
                                  check=False)
            self.assertIn(why, done.stdout, done.stderr)


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
