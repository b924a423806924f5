"""The ground of a trial: a cluster made or found, its nodes in networks, on disks and under clocks
that can be disturbed, and its end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.local import main as local
from tools.local import processes
from tools.local.layout import FILE, Cluster, LocalError, load, save
from tools.local.main import find_program
from tools.local.network import SUBNET, Network, NotPermitted
from tools.local.small_disk import SmallDisk, can_mount
from tools.trial.faults.fault import DISK, GEAR, NETWORK, WIRE
from tools.trial.field import Field
from tools.trial.record import Record
from tools.trial.wire import Wire

LIBRARIES = ["tests/libheld_disk.so", "tests/libstepped_clock.so"]
TIMERS = ["fallback_s=3", "service_s=5"]
START_TIMEOUT_S = 60.0
TUN = Path("/dev/net/tun")
LAUNCHER = "launcher.json"
# What whoever reads that something cannot be made here has to look for.
SOURCES = {NETWORK: "a network for each node (root; ip of iproute2; a cluster made with them)",
           WIRE: str(TUN),
           DISK: "disks that may be mounted (root)",
           GEAR: "libraries that only a whole build has (ninja -C build)"}


@contextmanager
def networked(folder: Path, count: int) -> Iterator[Network | None]:
    """The cluster in the folder, made with so many nodes if there is none, and (for who may make
    them, if it was made here) the networks of its nodes. This process sits between them; threads
    that it had before do not."""
    is_there = (folder / FILE).exists()
    ids = [node.id for node in load(folder).nodes] if is_there else list(range(1, count + 1))
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    network = None
    if not is_there or has_networks(folder):
        try:
            network = Network(ids, folder / "net")
        except NotPermitted as error:
            if is_there:
                raise LocalError(f"the nodes have networks of their own: {error}") from error
    try:
        if not is_there:
            _make(folder, ids, network)
        yield network
    finally:
        if network is not None:
            network.close()


def _make(folder: Path, ids: list[int], network: Network | None) -> None:
    """A cluster; nothing runs yet."""
    words = ["up", "--dir", str(folder), "--nodes", str(len(ids))]
    if network is not None:
        words += network.up_options()
    for timer in TIMERS:
        words += ["--timer", timer]
    save(folder, local.create(local.parser().parse_args(words)))


def has_networks(folder: Path) -> bool:
    """Whether each node of this cluster has a network of its own."""
    return all(node.host.startswith(SUBNET) for node in load(folder).nodes)


def abilities(folder: Path) -> frozenset[str]:
    """What can be disturbed in this cluster by whoever runs this."""
    has = set()
    if can_mount():
        has.add(DISK)
    if has_networks(folder):
        has.add(NETWORK)
        if TUN.exists():
            has.add(WIRE)
    if all(path.exists() for path in _libraries()):
        has.add(GEAR)
    return frozenset(has)


def _libraries() -> list[Path]:
    """They are built beside the programs."""
    build = Path(find_program("musterd")).parents[1]
    return [build / name for name in LIBRARIES]


@contextmanager
def prepared(folder: Path, record: Record, network: Network | None,
             needs: frozenset[str], seed: int) -> Iterator[Field]:
    """The cluster runs with all that the faults need. Afterwards it is stopped, as it was."""
    cluster = load(folder)
    local.stop_nodes(cluster.nodes)
    launcher = _own_launcher(folder, cluster)
    wire = None
    disks: dict[int, SmallDisk] = {}
    gear = folder / "gear" if GEAR in needs else None
    try:
        words: list[str] = []
        if network is not None:
            words += network.launcher().split()
            if WIRE in needs:
                wire = Wire(network, [node.id for node in cluster.nodes], seed)
        if DISK in needs:
            disks = {node.id: SmallDisk(Path(node.data)) for node in cluster.nodes}
        if gear is not None:
            gear.mkdir(exist_ok=True)
            words += ["env", "LD_PRELOAD=" + ":".join(map(str, _libraries())),
                      f"HELD_DISK={gear}/held.{{node}}", f"STEPPED_CLOCK={gear}/clock.{{node}}"]
        cluster.launcher = words + launcher
        save(folder, cluster)
        field = Field(folder, record, network, wire, disks, gear)
        field.mend()
        processes.wait_serving(field.cluster.nodes, START_TIMEOUT_S)
        yield field
    finally:
        _take_down(folder, launcher, disks)
        if wire is not None:
            wire.close()


def _own_launcher(folder: Path, cluster: Cluster) -> list[str]:
    """What stands in front of musterd without us. It is kept for the case that we are killed."""
    kept = folder / LAUNCHER
    if kept.exists():
        return json.loads(kept.read_text())
    kept.write_text(json.dumps(cluster.launcher) + "\n")
    return cluster.launcher


def _take_down(folder: Path, launcher: list[str], disks: dict[int, SmallDisk]) -> None:
    """Stop what runs, and give back what was lent."""
    cluster = load(folder)
    try:
        local.stop_nodes(cluster.nodes)
    except LocalError as error:
        print(error)
    for disk in disks.values():
        disk.give_back()
    cluster.launcher = launcher
    save(folder, cluster)
    (folder / LAUNCHER).unlink()
