"""A network of its own for every node of a test cluster, and cuts between them (Linux, root).

The test itself moves into a network namespace that is the router; each node gets one behind it.
A cut is a rule of the router: it swallows what one node sends to another without a word to either,
and leaves alone what comes back and what clients say, who sit at the router. The namespaces end
with the processes in them, so nothing stays on the machine, however the test ends.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000  # <sched.h>; os.unshare() is there from Python 3.12 on
SUBNET = "198.18"          # RFC 2544: for tests between networks
ROUTER_SETTINGS = {
    "ip_forward": 1,
    "ip_nonlocal_bind": 1,         # tools/cluster looks from here which ports of a node are free
    "conf/all/rp_filter": 0,       # else a cut of one direction would cut both
    "conf/default/rp_filter": 0,
}
_libc = ctypes.CDLL(None, use_errno=True)


class NotPermitted(Exception):
    """This process may not make network namespaces, or cannot."""


class Network:
    """The router and one namespace a node; made in the main thread before any other is."""

    def __init__(self, node_ids: Iterable[int], folder: Path | None = None) -> None:
        """The folder, which is made, gets a name for each namespace; one that is kept the same lets
        a cluster be started again behind another router."""
        self._nodes = {node_id: f"{SUBNET}.{node_id}.2" for node_id in node_ids}
        self._home = _enter_new()
        self._holders: list[subprocess.Popen[bytes]] = []
        self._cuts: list[tuple[int, int]] = []
        self._folder = folder or Path(tempfile.mkdtemp(prefix="muster-net-"))
        self._folder.mkdir(exist_ok=True)
        try:
            _ip(["link set lo up"])
            for name, value in ROUTER_SETTINGS.items():
                Path("/proc/sys/net/ipv4", name).write_text(str(value))
            for node_id in self._nodes:
                self._attach(node_id)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Go home; the namespaces end when the nodes in them have ended."""
        _check(_libc.setns(self._home, CLONE_NEWNET))
        os.close(self._home)
        for holder in self._holders:
            holder.communicate()  # its input ends, and so does it
        shutil.rmtree(self._folder)

    def _attach(self, node_id: int) -> None:
        """A namespace, held open by a process that ends with us, and a line to it."""
        holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self._holders.append(holder)
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdin.write(b"there\n")
        holder.stdin.flush()
        holder.stdout.readline()
        (self._folder / str(node_id)).symlink_to(f"/proc/{holder.pid}/ns/net")
        router, uplink = f"{SUBNET}.{node_id}.1", f"node{node_id}"
        _ip([f"link add {uplink} type veth peer name uplink netns {holder.pid}",
             f"address add {router}/24 dev {uplink}",
             f"link set {uplink} up"])
        with self.inside(node_id):
            _ip([f"address add {self._nodes[node_id]}/24 dev uplink",
                 "link set lo up", "link set uplink up", f"route add default via {router}"])

    @contextmanager
    def inside(self, node_id: int) -> Iterator[None]:
        """What is begun meanwhile by this thread, process or socket, is where the node is."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self._folder / str(node_id), os.O_RDONLY)
        try:
            _check(_libc.setns(there, CLONE_NEWNET))
            yield
        finally:
            _check(_libc.setns(here, CLONE_NEWNET))
            os.close(here)
            os.close(there)

    def run(self, commands: list[str]) -> None:
        """Commands of ip(8), where this thread is."""
        _ip(commands)

    def up_options(self) -> list[str]:
        """What tells `tools/cluster up` to put each node into its namespace."""
        return ["--bind", ",".join(self._nodes.values())]

    def launcher(self) -> str:
        """The command in front of musterd; tools/cluster puts the node's id into it."""
        return f"nsenter --net={self._folder}/{{node}}"

    def address(self, node_id: int) -> str:
        """Where a node can be reached."""
        return self._nodes[node_id]

    # ------------------------------------------------------------ cuts

    def mute(self, node_id: int) -> None:
        """No other node hears this one."""
        self.cut([(node_id, other) for other in self._nodes if other != node_id])

    def deafen(self, node_id: int) -> None:
        """This node hears no other."""
        self.cut([(other, node_id) for other in self._nodes if other != node_id])

    def isolate(self, node_id: int) -> None:
        """Nothing passes between this node and the others."""
        self.cut([pair for other in self._nodes if other != node_id
                   for pair in ((node_id, other), (other, node_id))])

    def cut(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Nothing gets from the first to the second of any pair."""
        pairs = list(pairs)
        _ip([f"rule add {self._rule(pair)}" for pair in pairs])
        self._cuts += pairs

    def set_line(self, node_id: int, up: bool) -> None:
        """Take the whole line of a node down, so that clients cannot reach it either, or up."""
        _ip([f"link set node{node_id} {'up' if up else 'down'}"])

    def heal(self, pairs: Iterable[tuple[int, int]] | None = None) -> None:
        """End cuts of these pairs, or all cuts. A pair that was cut twice stays cut once."""
        healed = list(self._cuts if pairs is None else pairs)
        _ip([f"rule delete {self._rule(pair)}" for pair in healed])
        for pair in healed:
            self._cuts.remove(pair)

    def _rule(self, pair: tuple[int, int]) -> str:
        """What the router is told."""
        return f"from {self._nodes[pair[0]]} to {self._nodes[pair[1]]} blackhole"


def _enter_new() -> int:
    """Returns a file of the namespace where this process was before."""
    if shutil.which("ip") is None:
        raise NotPermitted("needs ip, of the package iproute2")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _check(_libc.unshare(CLONE_NEWNET))
    except PermissionError as error:
        os.close(home)
        raise NotPermitted("needs to make network namespaces: run as root") from error
    return home


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _ip(commands: list[str]) -> None:
    """All commands by one process: a cut is done at one moment."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)
