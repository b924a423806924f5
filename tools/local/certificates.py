"""The certificates of a cluster on this machine, made by the openssl command.

Two authorities: one for the nodes among themselves, one for the domains that clients see, so that
the key of a domain never opens a link between nodes.
"""

import subprocess
import tempfile
from pathlib import Path

DAYS = "3650"
NODE_AUTHORITY = "cluster-ca"
CLIENT_AUTHORITY = "client-ca"


def make_authorities(folder: Path) -> None:
    """Make both authorities in the folder."""
    for name in (NODE_AUTHORITY, CLIENT_AUTHORITY):
        _openssl("req", "-x509", *_new_key(folder, name), "-days", DAYS,
                 "-subj", f"/CN=Muster {name}", "-out", str(folder / f"{name}.pem"),
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def make_node_certificate(folder: Path, node_id: int) -> None:
    """node-ID.pem and node-ID.key: both ends of the links prove themselves with it."""
    name = f"node-{node_id}"
    _sign(folder, NODE_AUTHORITY, name, name, "serverAuth,clientAuth")


def make_domain_certificate(folder: Path, domain: str) -> None:
    """DOMAIN.pem and DOMAIN.key: what clients see on every node."""
    _sign(folder, CLIENT_AUTHORITY, domain, domain, "serverAuth")


def _sign(folder: Path, authority: str, file: str, name: str, usage: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        request = Path(scratch) / "request"
        extensions = Path(scratch) / "extensions"
        extensions.write_text(f"basicConstraints=critical,CA:FALSE\nextendedKeyUsage={usage}\n"
                              f"keyUsage=critical,digitalSignature\nsubjectAltName=DNS:{name}\n")
        _openssl("req", "-new", *_new_key(folder, file), "-subj", f"/CN={name}",
                 "-out", str(request))
        _openssl("x509", "-req", "-in", str(request), "-days", DAYS, "-sha256",
                 "-CA", str(folder / f"{authority}.pem"),
                 "-CAkey", str(folder / f"{authority}.key"), "-CAcreateserial",
                 "-extfile", str(extensions), "-out", str(folder / f"{file}.pem"))


def _new_key(folder: Path, name: str) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", str(folder / f"{name}.key")]


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)
