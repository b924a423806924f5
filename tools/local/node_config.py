"""The configuration file of one node, as YAML."""

import json
from pathlib import Path

from tools.local.certificates import NODE_AUTHORITY
from tools.local.layout import Cluster, Node

TIMERS = {"lease_ms": 1000, "election_ms": 600, "heartbeat_ms": 50, "resume_window_s": 600}


def write(folder: Path, cluster: Cluster, node: Node, founders: list[Node],
          timers: dict[str, int]) -> None:
    """Write the file that node.config names; founders is empty for a node that joins later."""
    tls = folder / "tls"
    sections: dict[str, object] = {
        "node": {"id": node.id, "name": f"node-{node.id}", "data": node.data},
        "cluster": {
            "name": folder.name,
            "domain": cluster.domain,
            "bind": _address(node),
            "address": _address(node),
            "ca": str(tls / f"{NODE_AUTHORITY}.pem"),
            "certificate": str(tls / f"node-{node.id}.pem"),
            "key": str(tls / f"node-{node.id}.key"),
            "members": [{"node": one.id, "address": _address(one)} for one in founders],
            "bootstrap": bool(founders),
        },
        "c2s": {
            "bind": node.host,
            "port": node.ports["c2s"],
            "tls_port": node.ports["c2s_tls"],
            "certificates": [{
                "domain": cluster.domain,
                "certificate": str(tls / f"{cluster.domain}.pem"),
                "key": str(tls / f"{cluster.domain}.key"),
            }],
        },
        "control": {"socket": node.control},
        "log": {"level": "info"},
        "timers": {**TIMERS, **timers},
    }
    # Every JSON value is a YAML value, so one line a section needs no YAML library.
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in sections.items()]
    Path(node.config).write_text("".join(lines))


def _address(node: Node) -> str:
    host = f"[{node.host}]" if ":" in node.host else node.host
    return f"{host}:{node.ports['link']}"
