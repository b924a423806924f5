"""A disk of its own for the data of a node, which can be filled up and freed (root)."""

import os
import shutil
import subprocess
from pathlib import Path

MIB = 1024 * 1024
ROOM_BYTES = 4096 * MIB  # a tmpfs takes no memory before it is written to


class SmallDisk:
    """A tmpfs in place of a folder, with what was in it. Nobody may have files open there when it
    is made or removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.is_mount():  # of a trial that was killed
            self.clear()
            return
        kept = folder.with_name(folder.name + ".kept")
        folder.rename(kept)
        folder.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES},mode=700", "tmpfs",
                        str(folder)], check=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def fill(self) -> None:
        """No room any more. The node writes meanwhile: then what was too small is tried again."""
        while True:
            status = os.statvfs(self.folder)
            used = (status.f_blocks - status.f_bfree) * status.f_frsize
            try:
                self._resize(used)
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
        """The folder is an ordinary one again, with what is in it."""
        kept = self.folder.with_name(self.folder.name + ".kept")
        shutil.copytree(self.folder, kept)
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()
        kept.rename(self.folder)
