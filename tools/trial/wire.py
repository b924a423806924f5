"""A bad line: packets between nodes that come late, or never.

This is for kernels without netem. Every node's network gets a second way to the others, a tun
device; what goes in at one comes out at another when this program, a process of its own, lets it.
"""

import fcntl
import heapq
import itertools
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterable

from tools.local.network import Network

TUNSETIFF = 0x400454CA               # <linux/if_tun.h>
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
DEVICE = "slow"
PACKET_BYTES = 65536
PACKETS_MAX = 20000                  # on their way; what comes then is lost
SOURCE, TARGET = 14, 18              # the byte of an IPv4 address that names the node
Rule = tuple[float, float, float]    # delay and jitter in seconds, share of packets that are lost


class Wire:
    """The lines between all nodes; good until they are told otherwise."""

    def __init__(self, network: Network, ids: list[int], seed: int) -> None:
        self._network = network
        self._rules: dict[tuple[int, int], Rule] = {}
        ends = {node_id: self._open(node_id) for node_id in ids}
        words = [f"{node_id}={fd}" for node_id, fd in ends.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "tools.trial.wire", str(seed), *words],
            stdin=subprocess.PIPE, pass_fds=list(ends.values()), text=True)
        for fd in ends.values():
            os.close(fd)

    def _open(self, node_id: int) -> int:
        with self._network.inside(node_id):
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(),
                                                   IFF_TUN | IFF_NO_PI))
            self._network.run([f"link set {DEVICE} up"])
        return fd

    def slow(self, pairs: Iterable[tuple[int, int]], rule: Rule) -> None:
        """What the first of a pair sends to the second goes this way now."""
        fresh = dict.fromkeys(pairs, rule)
        self._rules |= fresh
        self._tell()
        for one, other in fresh:
            with self._network.inside(one):
                self._network.run([f"route replace {self._network.address(other)} dev {DEVICE} "
                                   f"src {self._network.address(one)}"])

    def heal(self) -> None:
        """All lines are good again; what is on its way arrives."""
        for one, other in self._rules:
            with self._network.inside(one):
                self._network.run([f"route delete {self._network.address(other)} dev {DEVICE}"])
        self._rules.clear()

    def _tell(self) -> None:
        assert self._process.stdin is not None
        rules = [[one, other, *rule] for (one, other), rule in self._rules.items()]
        self._process.stdin.write(json.dumps(rules) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """The lines are gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class _Carrier:
    """The process behind it."""

    def __init__(self, seed: int, ends: dict[int, int]) -> None:
        self._chance = random.Random(f"{seed} wire")
        self._ends = ends
        self._rules: dict[tuple[int, int], Rule] = {}
        self._packets: list[tuple[float, int, int, bytes]] = []  # due, number, end, packet
        self._numbers = itertools.count()

    def run(self) -> None:
        """Until nobody tells anything any more."""
        while True:
            ready = select.select([sys.stdin, *self._ends.values()], [], [], self._wait_s())[0]
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    return
                self._rules = {(one, other): (delay, jitter, loss)
                               for one, other, delay, jitter, loss in json.loads(line)}
            for end in ready:
                if end is not sys.stdin:
                    self._take(end)
            self._deliver()

    def _wait_s(self) -> float | None:
        return max(0.0, self._packets[0][0] - time.monotonic()) if self._packets else None

    def _take(self, end: int) -> None:
        try:
            packet = os.read(end, PACKET_BYTES)
        except BlockingIOError:
            return
        if packet[0] >> 4 != 4 or packet[TARGET] not in self._ends:
            return  # no IPv4 from node to node
        delay, jitter, loss = self._rules.get((packet[SOURCE], packet[TARGET]), (0.0, 0.0, 0.0))
        if self._chance.random() < loss or len(self._packets) >= PACKETS_MAX:
            return
        due = time.monotonic() + delay + self._chance.uniform(0, jitter)
        heapq.heappush(self._packets, (due, next(self._numbers), self._ends[packet[TARGET]],
                                       packet))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._packets and self._packets[0][0] <= now:
            _, _, end, packet = heapq.heappop(self._packets)
            try:
                os.write(end, packet)
            except OSError:
                continue  # the queue of the device is full: lost


if __name__ == "__main__":
    _Carrier(int(sys.argv[1]), {int(node_id): int(fd) for node_id, _, fd in (
        word.partition("=") for word in sys.argv[2:])}).run()
