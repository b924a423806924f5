"""Which folder may include what: the layers of ARCHITECTURE.md."""

import re
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT, files

# Folder -> the folders whose headers it may include besides its own. The longest match counts.
MAY_INCLUDE = {
    "node/base": [],
    "storage/kv": ["node/base"],
    "storage/state": ["node/base", "storage/kv/kv.h"],
    "xmpp": ["node/base", "storage/state"],
    "sip": ["node/base", "storage/state"],
    "ha": ["node/base", "storage/state"],
    "raft": ["node/base", "storage/state"],
    "node": ["ha", "raft", "sip", "storage", "xmpp"],
    "tools": ["ha", "node", "raft", "sip", "storage", "xmpp"],
    "tests": ["ha", "node", "raft", "sip", "storage", "tools", "xmpp"],
}

# A foreign header -> its only homes.
HOMES = {
    "lmdb.h": ["storage/kv", "tools"],
    "expat.h": ["xmpp/xml"],
    "raft.h": ["raft", "tests"],
    "raft/": ["raft", "tests"],
    "uv.h": ["node", "raft", "tools", "tests"],
    "openssl/": ["node", "raft", "tools", "tests"],
    "cyaml/": ["node/conf", "tools"],
    "systemd/": ["node"],
}

# Folders that compute only: no socket, file, thread, clock, random number, environment.
PURE = ["storage/state", "xmpp", "sip", "ha"]
IMPURE_HEADERS = ["arpa/", "fcntl.h", "netdb.h", "netinet/", "poll.h", "pthread.h", "signal.h",
                  "sys/epoll.h", "sys/random.h", "sys/socket.h", "sys/stat.h", "sys/time.h",
                  "sys/un.h", "threads.h", "unistd.h"]
IMPURE_OWN_HEADERS = ["node/base/clock.h", "node/base/helpers.h", "node/base/mailbox.h"]
IMPURE_CALL = re.compile(r"\b(clock|clock_\w+|fopen|getenv|getrandom|gettimeofday|rand|random"
                         r"|random_\w+|time)\(")
# What tests can set all the same: the random port of node/base/crypto.h, and who needs it.
RANDOM_PORT = "random_fill"
RANDOM_USERS = ["xmpp/sasl/server.c", "xmpp/stream/header.c"]

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
GENERATED = re.compile(r"\.pb-c\.h$")


def problems(root: Path) -> list[str]:
    """Every include below root that its folder has no right to."""
    found = []
    for path in files(root, ".c", ".h"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            problem = _line_problem(root, path.relative_to(root).as_posix(), line)
            if problem:
                found.append(f"{path.relative_to(root)}:{number}: {problem}")
    return found


def unused_exceptions(root: Path) -> list[str]:
    """Files that may call the random port and do not."""
    return [name for name in RANDOM_USERS if f"{RANDOM_PORT}(" not in (root / name).read_text()]


def _line_problem(root: Path, name: str, line: str) -> str:
    folder = name.rpartition("/")[0]
    include = INCLUDE.match(line)
    if include is not None and include.group(1) == '"':
        return _own_problem(root, folder, include.group(2))
    if include is not None:
        return _foreign_problem(folder, include.group(2))
    call = IMPURE_CALL.search(line)
    if call is not None and _is_pure(folder) and \
            (call.group(1) != RANDOM_PORT or name not in RANDOM_USERS):
        return f"{call.group(1)}() in a folder that only computes"
    return ""


def _own_problem(root: Path, folder: str, header: str) -> str:
    if ".." in header or not (GENERATED.search(header) or (root / header).is_file()):
        return f"{header} is not a path from the root"
    layer = _layer(folder)
    if layer is None:
        return f"{folder} is in no layer"
    allowed = [layer, *MAY_INCLUDE[layer]]
    if not any(_is_below(header, prefix) for prefix in allowed):
        return f"{layer} may not include {header}"
    if header in IMPURE_OWN_HEADERS and _is_pure(folder):
        return f"{header} in a folder that only computes"
    return ""


def _foreign_problem(folder: str, header: str) -> str:
    for name, homes in HOMES.items():
        is_it = header == name or (name.endswith("/") and header.startswith(name))
        if is_it and not any(_is_below(folder, home) for home in homes):
            return f"<{header}> belongs to {', '.join(homes)}"
    if _is_pure(folder):
        if any(header == name or (name.endswith("/") and header.startswith(name))
               for name in IMPURE_HEADERS):
            return f"<{header}> in a folder that only computes"
    return ""


def _layer(folder: str) -> str | None:
    matches = [layer for layer in MAY_INCLUDE if _is_below(folder, layer)]
    return max(matches, key=len, default=None)


def _is_pure(folder: str) -> bool:
    return any(_is_below(folder, pure) for pure in PURE)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


class Layers(unittest.TestCase):
    """The tree, and small trees with one violation each."""

    def test_tree(self) -> None:
        """No folder includes what its layer may not."""
        self.assertEqual("", "\n".join(problems(ROOT)))
        self.assertEqual([], unused_exceptions(ROOT))

    def test_can_fail(self) -> None:
        """Each kind of violation is found. Method: a tree of one file with one bad include."""
        violations = {
            "xmpp/im/a.c": '#include "node/base/../net/tls.h"',
            "xmpp/xml/a.c": '#include "sip/msg/msg.h"',
            "storage/state/a.c": '#include "storage/kv/store.h"',
            "storage/state/b.c": "#include <pthread.h>",
            "ha/group/a.c": "    now = time(NULL);",
            "ha/group/b.c": "    now_ms = clock_mono_ms();",
            "ha/gate/a.c": '#include "node/base/clock.h"',
            "xmpp/im/b.c": "    random_fill(id, sizeof(id));",
            "xmpp/sasl/server.c": "    nonce = random_u64();",
            "storage/state/c.c": "    (void)getrandom(id, sizeof(id), 0);",
            "node/net/a.c": "#include <lmdb.h>",
            "node/core/a.c": "#include <raft/uv.h>",
            "xmpp/stream/a.c": "#include <openssl/ssl.h>",
            "other/a.c": '#include "storage/kv/store.h"',
        }
        for name, line in violations.items():
            with self.subTest(name=name), tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                for header in ["node/base/clock.h", "node/net/tls.h", "sip/msg/msg.h",
                               "storage/kv/store.h"]:
                    (root / header).parent.mkdir(parents=True, exist_ok=True)
                    (root / header).touch()
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(line + "\n")
                self.assertEqual(1, len(problems(root)), problems(root))

    def test_random_port(self) -> None:
        """Who may use the random port is found out when it does not."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in RANDOM_USERS:
                (root / name).parent.mkdir(parents=True)
                (root / name).write_text("    random_fill(id, sizeof(id));\n")
            self.assertEqual(([], []), (problems(root), unused_exceptions(root)))
            (root / RANDOM_USERS[0]).write_text("\n")
            self.assertEqual(RANDOM_USERS[:1], unused_exceptions(root))
