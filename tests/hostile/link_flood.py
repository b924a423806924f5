"""A process that opens connections to a node's link port as fast as it can, until it is ended.

Usage: link_flood.py HOST PORT SOURCE - SOURCE is the address that it comes from.
"""

import collections
import contextlib
import os
import socket
import sys

HELD = 400  # beyond it the oldest is closed


def main() -> None:
    """Connect, and never say a word."""
    host, port, source = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    held: collections.deque[socket.socket] = collections.deque()
    os.nice(19)
    while True:
        one = socket.socket()
        one.setblocking(False)
        # All ports of the source may be in use for a moment.
        with contextlib.suppress(OSError):
            one.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            one.bind((source, 0))
            with contextlib.suppress(BlockingIOError):
                one.connect((host, port))
        held.append(one)
        if len(held) > HELD:
            held.popleft().close()


if __name__ == "__main__":
    main()
