"""Free ports for nodes. They lie below the range that the kernel gives to outgoing connections,
so that a node that was killed finds its ports free when it comes back."""

import random
import socket
from collections.abc import Iterator

from tools.local.layout import LocalError

SERVICES = ["c2s", "c2s_tls", "link"]
LOWEST, HIGHEST = 12000, 32000
PORTS_PER_NODE = 10
RANDOM_TRIES = 200


def choose(host: str, base: int | None, node_id: int) -> dict[str, int]:
    """Ports for the services of a node: from its place above base, or free ones by chance."""
    for first in _candidates(base, node_id):
        ports = {service: first + offset for offset, service in enumerate(SERVICES)}
        if all(_is_free(host, port) for port in ports.values()):
            return ports
    raise LocalError(f"no free ports on {host}" + (f" at {base}" if base else ""))


def _candidates(base: int | None, node_id: int) -> Iterator[int]:
    if base is not None:
        yield base + (node_id - 1) * PORTS_PER_NODE
        return
    for _ in range(RANDOM_TRIES):
        yield random.randrange(LOWEST, HIGHEST, PORTS_PER_NODE)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
