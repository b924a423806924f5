"""A folder on a disk of its own, whose room can be taken and given back: a tmpfs, only for root."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

MIB = 1024 * 1024
ROOM_BYTES = 2048 * MIB  # a tmpfs takes no memory before it is written to


def _mount(folder: Path, *options: str) -> None:
    """SkipTest: not here."""
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest(f"no tmpfs can be mounted: {done.stderr.strip()}")


class SmallDisk:
    """A tmpfs in place of a folder, with what was in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = folder.with_name(folder.name + ".kept")
        folder.rename(kept)
        folder.mkdir(mode=0o700)
        try:
            _mount(folder, "-o", f"size={ROOM_BYTES},mode=700")
        except unittest.SkipTest:
            folder.rmdir()
            kept.rename(folder)
            raise
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def fill(self, left_bytes: int = 0) -> None:
        """No room any more, but for so much. The node writes meanwhile: then what was too small is
        tried again."""
        while True:
            status = os.statvfs(self.folder)
            used = (status.f_blocks - status.f_bfree) * status.f_frsize
            try:
                self._resize(used + left_bytes)
                return
            except subprocess.CalledProcessError:
                continue

    def clear(self) -> None:
        """Room again."""
        self._resize(ROOM_BYTES)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)],
                       capture_output=True, check=True)

    def remove(self) -> None:
        """When no node needs it any more."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
