"""Run musterctl and see what it says."""

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from tools.local.main import find_program

TIMEOUT_S = 60.0


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
