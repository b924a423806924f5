"""The configuration file of one node, as YAML."""

import json
from pathlib import Path

from tools.local.certificates import NODE_AUTHORITY
from tools.local.layout import Cluster, Node

def write(folder: Path, cluster: Cluster, node: Node) -> None:
    """Write the file that node.config names."""
    tls = folder / "tls"
    sections: dict[str, object] = {
        "node": {"id": node.id, "name": f"node-{node.id}", "data": node.data,
                 "witness": node.witness},
        "cluster": {
            "name": folder.name,
            "domain": cluster.domain,
            "bind": link_address(node),
            "address": link_address(node),
            "ca": str(tls / f"{NODE_AUTHORITY}.pem"),
            "certificate": str(tls / f"node-{node.id}.pem"),
            "key": str(tls / f"node-{node.id}.key"),
            "members": [{"node": one.id, "address": link_address(one)} for one in cluster.nodes],
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
        **cluster.settings,
    }
    if node.witness:
        del sections["c2s"]
    # Every JSON value is a YAML value, so one line a section needs no YAML library.
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in sections.items()]
    Path(node.config).write_text("".join(lines))


def link_address(node: Node) -> str:
    """Where the other nodes reach it."""
    host = f"[{node.host}]" if ":" in node.host else node.host
    return f"{host}:{node.ports['link']}"
