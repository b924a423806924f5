"""A folder on a disk of its own, whose room can be taken and given back: a tmpfs, only for root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MIB = 1024 * 1024
ROOM_BYTES = 4096 * MIB  # a tmpfs takes no memory before it is written to


class DiskError(Exception):
    """No tmpfs can be mounted here."""


def _mount(folder: Path) -> None:
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES},mode=700", "tmpfs",
                           str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DiskError(f"no tmpfs can be mounted: {done.stderr.strip()}")


def can_mount() -> bool:
    """Not everywhere may root do it: in a container it mostly may not."""
    with tempfile.TemporaryDirectory() as name:
        try:
            _mount(Path(name))
        except DiskError:
            return False
        subprocess.run(["umount", name], check=True)
        return True


class SmallDisk:
    """A tmpfs in place of a folder, with what was in it. Nobody may have files open there when it
    is made or given back."""

    def __init__(self, folder: Path) -> None:
        """DiskError: the folder is as it was."""
        self.folder = folder
        if folder.is_mount():  # of a trial that was killed
            self.clear()
            return
        kept = self._kept()
        folder.rename(kept)
        folder.mkdir(mode=0o700)
        try:
            _mount(folder)
        except DiskError:
            folder.rmdir()
            kept.rename(folder)
            raise
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def _kept(self) -> Path:
        return self.folder.with_name(self.folder.name + ".kept")

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

    def give_back(self) -> None:
        """The folder is an ordinary one again, with what is in it."""
        shutil.copytree(self.folder, self._kept())
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()
        self._kept().rename(self.folder)

    def discard(self) -> None:
        """With all that is in it, at once, though a node may run there."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
