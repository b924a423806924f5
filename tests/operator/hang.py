"""One thread of a process stands still while the others go on: what a lock that nobody gives back
looks like from outside."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WAIT_ALL = 0x40000000  # __WALL: threads are clones

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def threads(pid: int) -> dict[int, str]:
    """Thread id -> name."""
    return {int(task.name): (task / "comm").read_text().strip()
            for task in Path(f"/proc/{pid}/task").iterdir()}


def busy(pid: int, name: str) -> bool:
    """Has a thread of this name used processor time?"""
    for thread, its_name in threads(pid).items():
        fields = Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()
        if its_name == name and int(fields[11]) > 0:  # utime, proc(5)
            return True
    return False


@contextmanager
def hanging(pid: int, name: str) -> Iterator[None]:
    """The thread of this name does not run inside the block."""
    thread = next(one for one, its_name in threads(pid).items() if its_name == name)
    _ptrace(PTRACE_SEIZE, thread)
    _ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_ALL)
    try:
        yield
    finally:
        try:
            _ptrace(PTRACE_DETACH, thread)
        except ProcessLookupError:  # the process was killed; it is gone once this is known
            os.waitpid(thread, WAIT_ALL)
