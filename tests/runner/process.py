"""Run one program to its end or its deadline and leave nothing of it behind.

Every program gets a process group and a mark in its environment. Daemons that it started (nodes
of a test cluster) inherit the mark, so they are found and ended even when the program died. It also
gets a TMPDIR of its own, which goes with it. That is below the one of the runner, not in a build
folder: the path of a Unix socket must be short.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

MARK = "MUSTER_TEST_MARK"


@dataclass
class Finished:
    """How a program ended: its exit code, its output, and what was wrong with the ending."""

    code: int
    output: str
    timed_out: bool
    left_behind: list[str]  # processes and files


_running: set[subprocess.Popen] = set()
_running_lock = threading.Lock()
_stopping = threading.Event()


def run(command: list[str], timeout_s: float, cwd: Path, env: dict[str, str]) -> Finished:
    """Run command; after timeout_s its whole process group is killed."""
    if _stopping.is_set():
        return Finished(1, "not run: told to stop", False, [])
    scratch = Path(tempfile.mkdtemp(prefix="muster-run-"))
    scratch.chmod(0o711)  # a server that a test starts as another user has to get to its folder
    try:
        finished = _run_marked(command, timeout_s, cwd, {**env, "TMPDIR": str(scratch)})
        finished.left_behind += sorted(path.name for path in scratch.iterdir())
        return finished
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_marked(command: list[str], timeout_s: float, cwd: Path,
                env: dict[str, str]) -> Finished:
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **env, MARK: mark}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    with _running_lock:
        _running.add(process)
    timed_out = False
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill_group(process)
        kill_marked(mark)  # a daemon may hold our end of the pipe
        output, _ = process.communicate()
    finally:
        with _running_lock:
            _running.discard(process)
    left_behind = kill_marked(mark)
    return Finished(process.returncode, output.decode(errors="replace"), timed_out, left_behind)


def kill_all() -> None:
    """End every program that still runs and start no more: the runner is told to stop."""
    _stopping.set()
    with _running_lock:
        for process in _running:
            _kill_group(process)


def kill_marked(mark: str) -> list[str]:
    """Kill all processes that carry the mark; returns their names."""
    names = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            if f"{MARK}={mark}".encode() not in environ:
                continue
            names.append(f"{(entry / 'comm').read_text().strip()} ({entry.name})")
            os.kill(int(entry.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended by itself, or is not ours
    return names


def _kill_group(process: subprocess.Popen) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
