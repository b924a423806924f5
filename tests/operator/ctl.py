"""Run musterctl and see what it says."""

import asyncio
import json
import os
import subprocess
import time
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lib.cluster import TestCluster
from tools.local.main import find_program

TIMEOUT_S = 60.0
REFUSED, USAGE = 1, 2
POLL_S = 0.05


@dataclass
class Said:
    """The outcome of one call."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The answer to a call with --json."""
        return json.loads(self.out)


def musterctl(*arguments: str, stdin: str = "") -> Said:
    """One call of musterctl."""
    done = subprocess.run([find_program("musterctl"), *arguments], input=stdin, text=True,
                          capture_output=True, timeout=TIMEOUT_S, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    return Said(done.returncode, done.stdout, done.stderr)


class ClusterCtl(unittest.TestCase):
    """What tests of one cluster ask of musterctl; a node that serves answers."""

    cluster: TestCluster

    def ctl(self, *arguments: str, stdin: str = "") -> Said:
        """musterctl for this cluster."""
        return musterctl("--cluster", str(self.cluster.folder), *arguments, stdin=stdin)

    def ok(self, *arguments: str) -> Said:
        """A call that must succeed."""
        said = self.ctl(*arguments)
        self.assertEqual(0, said.code, said)
        return said

    def refused(self, why: str, *arguments: str) -> None:
        """A call that must be refused, with the reason."""
        said = self.ctl(*arguments)
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn(why, said.err)

    async def stays(self, condition: Callable[[], bool], seconds: float, what: Any = "") -> None:
        """Look all the while: the condition holds as long as this."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertTrue(condition(), what)
            await asyncio.sleep(POLL_S)


def make_group(cluster: TestCluster, name: str, nodes: tuple[int, ...]) -> None:
    """A redundancy group of these nodes, enabled."""
    for words in (("create", name), *(("add-node", name, str(node)) for node in nodes),
                  ("enable", name)):
        said = musterctl("--cluster", str(cluster.folder), "group", *words)
        assert said.code == 0, said
