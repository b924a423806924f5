"""A Muster cluster on this machine: start it, look at it, hurt it, stop it."""

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

from tools.local import certificates, membership, node_config, ports, processes
from tools.local.layout import FILE, Cluster, LocalError, Node, load, locked, save

ROOT = Path(__file__).resolve().parents[2]
SERVE_TIMEOUT_S = 60.0
TIMERS = {"lease_ms": 1000, "election_ms": 600, "heartbeat_ms": 100, "resume_window_s": 600}
BUILDS = ["build", "build/release", "build/gcc"]
CONTROL_PATH_MAX = 107  # what the address of a Unix socket holds
STATUS_KEYS = ["serving", "role", "leader", "term", "commit_index", "applied_index", "alarms",
               "error"]


def find_program(name: str) -> str:
    """A program: in $MUSTER_BIN, the newest of the builds that are meant for use, or installed.

    Builds with sanitizers are for tests only.
    """
    if "MUSTER_BIN" in os.environ:
        found = [Path(os.environ["MUSTER_BIN"]) / name]
    else:
        found = [ROOT / build / "bin" / name for build in BUILDS]
        found = sorted(filter(Path.is_file, found), key=lambda path: path.stat().st_mtime)
    if found and found[-1].is_file():
        return str(found[-1].resolve())
    installed = shutil.which(name)
    if installed is None:
        raise LocalError(f"{name} is not built: cmake -G Ninja -S . -B build && ninja -C build")
    return installed


def new_node(folder: Path, cluster: Cluster, host: str, port_base: int | None,
             witness: bool) -> Node:
    """Describe a further node and make its folder and certificate."""
    node_id = max((node.id for node in cluster.nodes), default=0) + 1
    taken = {port for node in cluster.nodes for port in node.ports.values()}
    chosen = ports.choose(host, port_base, node_id)
    while taken & set(chosen.values()):
        chosen = ports.choose(host, port_base, node_id)
    home = folder / f"n{node_id}"
    control = home / "control"
    if len(os.fsencode(control)) > CONTROL_PATH_MAX:
        raise LocalError(f"{control} is too long for a socket; take another --dir")
    home.mkdir(mode=0o755)
    certificates.make_node_certificate(folder / "tls", node_id)
    return Node(id=node_id, pid=0, host=host, ports=chosen, control=str(control),
                data=str(home / "data"), log=str(home / "log"), config=str(home / "muster.yaml"),
                witness=witness)


def up(options: argparse.Namespace) -> None:
    """Make a new cluster, or start the stopped nodes of the one in DIR; wait until it serves."""
    folder = options.dir
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(folder):
        cluster = load(folder) if (folder / FILE).exists() else create(options)
        for node in cluster.nodes:
            if not processes.is_running(node):
                processes.start(cluster, node)
        save(folder, cluster)
        processes.wait_serving(cluster.nodes, options.timeout)
    serving = sum(not node.witness for node in cluster.nodes)
    print(f"{serving} nodes serve {cluster.domain}; see {folder / FILE}")


def create(options: argparse.Namespace) -> Cluster:
    """Certificates, ports and configuration files of a new cluster; nothing runs yet."""
    folder = options.dir
    program = find_program("musterd")
    if (folder / "tls").exists():
        raise LocalError(f"{folder} holds what is left of a cluster that was not made whole; "
                         "remove it")
    (folder / "tls").mkdir(mode=0o700)
    certificates.make_authorities(folder / "tls")
    certificates.make_domain_certificate(folder / "tls", options.domain)
    cluster = Cluster(domain=options.domain,
                      ca=str(folder / "tls" / f"{certificates.CLIENT_AUTHORITY}.pem"),
                      program=program, launcher=shlex.split(options.launcher),
                      settings={"timers": {**TIMERS, **numbers_of(options.timer)},
                                "limits": numbers_of(options.limit)})
    hosts = options.bind.split(",")
    for index in range(options.nodes + options.witnesses):
        host = hosts[index % len(hosts)]
        cluster.nodes.append(new_node(folder, cluster, host, options.port_base,
                                      witness=index >= options.nodes))
    for node in cluster.nodes:
        node_config.write(folder, cluster, node)
        membership.found(node)
    return cluster


def numbers_of(settings: list[str]) -> dict[str, int]:
    """["lease_ms=500"] -> {"lease_ms": 500}."""
    return {name: int(value) for name, _, value in (text.partition("=") for text in settings)}


def show_status(options: argparse.Namespace) -> None:
    """What every node says of itself, one line each; --json tells more."""
    cluster = load(options.dir)
    reports = [{"id": node.id, "pid": node.pid, "running": processes.is_running(node),
                **processes.status(node)} for node in cluster.nodes]
    if options.json:
        print(json.dumps(reports, indent=2))
        return
    for report in reports:
        print(f"node {report['id']} (pid {report['pid']}): "
              + " ".join(f"{key}={report[key]}" for key in STATUS_KEYS
                         if report.get(key) not in (None, [])))


def kill(options: argparse.Namespace) -> None:
    """kill -9."""
    node = load(options.dir).node(options.id)
    processes.send_signal(node, signal.SIGKILL)
    processes.wait_gone(node)


def pause(options: argparse.Namespace) -> None:
    """SIGSTOP: the process hangs, its connections stay open."""
    processes.send_signal(load(options.dir).node(options.id), signal.SIGSTOP)


def resume(options: argparse.Namespace) -> None:
    """SIGCONT."""
    processes.send_signal(load(options.dir).node(options.id), signal.SIGCONT)


def stop(options: argparse.Namespace) -> None:
    """SIGTERM, and wait until it is gone."""
    stop_nodes([load(options.dir).node(options.id)])


def stop_nodes(nodes: list[Node]) -> None:
    """Stop gracefully; one that does not in time is killed, and every bad end is reported."""
    told = {node.id: processes.log_size(node) for node in nodes if processes.is_running(node)}
    for node in nodes:
        if node.id in told:
            os.kill(node.pid, signal.SIGTERM)
            os.kill(node.pid, signal.SIGCONT)  # a paused one must hear it
    late = [node for node in nodes if not processes.wait_gone(node)]
    for node in late:
        os.kill(node.pid, signal.SIGKILL)
        processes.wait_gone(node)
    faults = [f"node {node.id} had to be killed" for node in late]
    faults += [f"node {node.id} died in its stop:\n{processes.log_tail(node)}" for node in nodes
               if node.id in told and node not in late
               and not processes.stopped_well(node, told[node.id])]
    if faults:
        raise LocalError("\n".join(faults))


def start(options: argparse.Namespace) -> None:
    """Start a node that does not run and wait until it serves."""
    with locked(options.dir):
        cluster = load(options.dir)
        node = cluster.node(options.id)
        processes.start(cluster, node)
        save(options.dir, cluster)
    if options.wait:
        processes.wait_serving([node], options.timeout)


def add(options: argparse.Namespace) -> None:
    """Add a node: it takes a copy of the state and becomes a voter."""
    with locked(options.dir):
        cluster = load(options.dir)
        node = new_node(options.dir, cluster, options.bind, options.port_base,
                        options.witness)
        cluster.nodes.append(node)
        node_config.write(options.dir, cluster, node)
        try:
            membership.join(cluster, node, options.timeout, options.role)
        finally:
            save(options.dir, cluster)  # also when it failed: the process may run
    print(f"node {node.id} serves")


def rejoin(options: argparse.Namespace) -> None:
    """Wipe a node that does not run and let it join again, under a new raft id."""
    with locked(options.dir):
        cluster = load(options.dir)
        node = cluster.node(options.id)
        membership.wipe(cluster, node)
        node_config.write(options.dir, cluster, node)
        try:
            membership.join(cluster, node, options.timeout, options.role)
        finally:
            save(options.dir, cluster)  # also when it failed: the process may run
    print(f"node {node.id} serves")


def down(options: argparse.Namespace) -> None:
    """Stop all nodes; --purge also removes what they stored."""
    with locked(options.dir):
        stop_nodes(load(options.dir).nodes)
    if options.purge:
        shutil.rmtree(options.dir)


def positive(text: str) -> int:
    """A number from 1 on, of the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="tools/cluster", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)

    def verb(name: str, run, *, takes_id: bool = False) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=run.__doc__.split("\n")[0], description=run.__doc__)
        one.set_defaults(run=run)
        one.add_argument("--dir", type=lambda text: Path(text).resolve(), required=True)
        if takes_id:
            one.add_argument("id", type=int, metavar="ID")
        return one

    up_verb = verb("up", up)
    up_verb.add_argument("--nodes", type=positive, default=3)
    up_verb.add_argument("--witnesses", type=int, default=0, metavar="N",
                         help="so many nodes more that vote and serve nobody")
    up_verb.add_argument("--domain", default="example.test")
    up_verb.add_argument("--launcher", default="",
                         help="command in front of musterd (valgrind ...); {node} becomes the id")
    up_verb.add_argument("--bind", default="127.0.0.1", metavar="HOST[,HOST...]",
                         help="where the nodes listen, in turn")
    add_verb = verb("add", add)
    add_verb.add_argument("--bind", default="127.0.0.1", metavar="HOST")
    add_verb.add_argument("--witness", action="store_true", help="it votes and serves nobody")
    for one in (up_verb, add_verb):
        one.add_argument("--port-base", type=int, metavar="P")
    rejoin_verb = verb("rejoin", rejoin, takes_id=True)
    for one in (add_verb, rejoin_verb):
        one.add_argument("--role", choices=["voter", "standby"], default="voter",
                         help="what it becomes: a standby where five vote already")
    for what, example in (("timer", "lease_ms=500"), ("limit", "stanza_bytes=65536")):
        up_verb.add_argument(f"--{what}", action="append", default=[], metavar="NAME=NUMBER",
                             help=f"a {what} of the configuration, such as {example}")
    verb("status", show_status).add_argument("--json", action="store_true")
    verb("kill", kill, takes_id=True)
    verb("pause", pause, takes_id=True)
    verb("resume", resume, takes_id=True)
    verb("stop", stop, takes_id=True)
    start_verb = verb("start", start, takes_id=True)
    start_verb.add_argument("--no-wait", dest="wait", action="store_false")
    for one in (up_verb, add_verb, rejoin_verb, start_verb):
        one.add_argument("--timeout", type=float, default=SERVE_TIMEOUT_S, metavar="SECONDS")
    verb("down", down).add_argument("--purge", action="store_true")
    return top


def main() -> int:
    options = parser().parse_args()
    try:
        options.run(options)
    except LocalError as error:
        print(f"tools/cluster: {error}", file=sys.stderr)
        return 1
    return 0
