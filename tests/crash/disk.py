"""The disk of a node, as far as a power cut may leave it.

What a sync covers is there. Of what it does not cover yet, anything may be there: each sector as it
was after any of the writes to it, or before all of them; the length of a file as before or after
any change of it; of the changes of names in one folder the first so many. A name does not come with
what is in its file, nor a file with its name: neither POSIX nor all file systems say so. What
mmap() shows to others is never known.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

from tests.crash.trace import Event, Kind

SECTOR = 512


class Luck(Enum):
    """What a power cut leaves of what was not synced."""

    NOTHING = "nothing"
    ALL = "all"
    FIRST = "the first so many writes, the last of them torn"
    ANY = "any sectors, lengths and names"


@dataclass(eq=False)
class File:
    """A file, whatever its names are. Bytes behind the end of an array are zeros."""

    durable: bytearray = field(default_factory=bytearray)
    durable_size: int = 0
    newest: bytearray = field(default_factory=bytearray)    # what a process would read
    newest_size: int = 0
    sectors: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)  # by whom, what
    sizes: list[tuple[int, int]] = field(default_factory=list)
    is_mapped: bool = False

    def _sector(self, number: int) -> bytes:
        return bytes(self.newest[number * SECTOR:(number + 1) * SECTOR]).ljust(SECTOR, b"\0")

    def write(self, place: int, offset: int, content: bytes) -> None:
        """The event at this place writes; nothing is durable yet."""
        end = offset + len(content)
        if len(self.newest) < end:
            self.newest.extend(bytes(end - len(self.newest)))
        self.newest[offset:end] = content
        for number in range(offset // SECTOR, (end + SECTOR - 1) // SECTOR):
            self.sectors.setdefault(number, []).append((place, self._sector(number)))
        if end > self.newest_size:
            self.resize(place, end)

    def resize(self, place: int, size: int) -> None:
        """The event at this place makes it so long."""
        if size < self.newest_size:
            del self.newest[size:]
            for number in range(size // SECTOR, (self.newest_size + SECTOR - 1) // SECTOR):
                if number in self.sectors or number * SECTOR < len(self.durable):
                    self.sectors.setdefault(number, []).append((place, self._sector(number)))
        self.newest_size = size
        self.sizes.append((place, size))

    def _keep(self, number: int, content: bytes) -> None:
        begin = number * SECTOR
        if len(self.durable) < begin + SECTOR:
            self.durable.extend(bytes(begin + SECTOR - len(self.durable)))
        self.durable[begin:begin + SECTOR] = content

    def sync(self, is_covered: Callable[[int], bool]) -> None:
        """What was done by events at such places is durable."""
        for number, versions in list(self.sectors.items()):
            last = max((at for at, (place, _) in enumerate(versions) if is_covered(place)),
                       default=-1)
            if last >= 0:
                self._keep(number, versions[last][1])
                del versions[:last + 1]
                if not versions:
                    del self.sectors[number]
        last = max((at for at, (place, _) in enumerate(self.sizes) if is_covered(place)),
                   default=-1)
        if last >= 0:
            self.durable_size = self.sizes[last][1]
            del self.sizes[:last + 1]

    def written_through(self, place: int, end: int) -> None:
        """A durable write has ended: it is there, and the file is as long as it was then."""
        sizes = [size for other, size in self.sizes if other <= place]
        self.sync(lambda other: other == place)
        self.sizes = [one for one in self.sizes if one[0] > place]
        self.durable_size = max([self.durable_size, end] if not sizes else [sizes[-1], end])

    def image(self, luck: Luck, chance: random.Random, last: int) -> tuple[bytearray, int]:
        """Content and length after a power cut; last is the last event of which Luck.FIRST leaves
        anything."""
        content, size = bytearray(self.durable), self.durable_size
        share = chance.random()
        torn = chance.randrange(16)
        for number, versions in sorted(self.sectors.items()):
            kept = _choose(versions, luck, chance, last, share)
            if luck is Luck.FIRST and kept is not None and kept[0] == last:
                torn -= 1
                if torn < 0:
                    kept = _choose(versions, luck, chance, last - 1, share)
            if kept is not None:
                begin = number * SECTOR
                if len(content) < begin + SECTOR:
                    content.extend(bytes(begin + SECTOR - len(content)))
                content[begin:begin + SECTOR] = kept[1]
        kept_size = _choose(self.sizes, luck, chance, last, share)
        return content, size if kept_size is None else kept_size[1]


def _choose(versions: list, luck: Luck, chance: random.Random, last: int, share: float):
    """One of the versions, or None for what is durable."""
    if luck is Luck.NOTHING or not versions:
        return None
    if luck is Luck.ALL:
        return versions[-1]
    if luck is Luck.FIRST:
        return next((one for one in reversed(versions) if one[0] <= last), None)
    return chance.choice(versions) if chance.random() < share else None


@dataclass
class Change:
    """A change of names, at the place of an event, that counts with what its folder syncs."""

    place: int
    folder: str
    name: str
    file: File | None = None         # None: unlinked
    old_name: str | None = None
    is_folder: bool = False
    after: "Change | None" = None    # it does not happen without this one


def _folder(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent


@dataclass
class Names:
    """Which name shows which file."""

    files: dict[str, File] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def change(self, change: Change) -> None:
        """It has happened."""
        if change.is_folder:
            self.folders.add(change.name)
            return
        if change.old_name is not None and self.files.get(change.old_name) is change.file:
            del self.files[change.old_name]
        if change.file is None:
            self.files.pop(change.name, None)
        else:
            self.files[change.name] = change.file


class Disk:
    """Follows the events of a node, one after the other. With `lies` it is a disk that answers
    syncs of files whose name begins so, and does them so many seconds later."""

    def __init__(self, events: list[Event], lies: dict[str, float] | None = None) -> None:
        self.events = events
        self.place = 0                        # events before it have happened
        self.durable = Names()
        self.newest = Names()
        self.changes: list[Change] = []
        self._lies = lies or {}
        self._late: list[tuple[float, int]] = []  # when to do it, the END that said it was done
        self._open: dict[int, File | str] = {}  # by descriptor; a folder by its name
        self._targets: dict[int, File | str] = {}  # of writes and syncs, by place
        self._is_new = True
        self.differences: list[str] = []      # found at the start of a process

    # ------------------------------------------------------------ what happens

    def advance(self, place: int) -> None:
        """Let everything happen up to the event at this place, and no more."""
        while self.place < place:
            self._happen(self.place, self.events[self.place])
            self.place += 1

    def _happen(self, place: int, event: Event) -> None:
        while self._late and self._late[0][0] <= event.clock_ns:
            self._settle(heapq.heappop(self._late)[1])
        if not event.failed:
            getattr(self, f"_on_{event.kind.name.lower()}")(place, event)

    def _on_start(self, place: int, _: Event) -> None:
        self._open.clear()
        self._is_new = place == 0

    def _on_folder(self, _: int, event: Event) -> None:
        if self._is_new:
            self.durable.folders.add(event.name)
            self.newest.folders.add(event.name)

    def _on_file(self, _: int, event: Event) -> None:
        """What the process found: the beginning, or a check of what was recorded before."""
        if self._is_new:
            size = len(event.content)
            file = File(bytearray(event.content), size, bytearray(event.content), size)
            self.durable.files[event.name] = self.newest.files[event.name] = file
        else:
            self._compare(event.name, event.content)

    def _compare(self, name: str, content: bytes) -> None:
        file = self.newest.files.get(name)
        if file is None:
            self.differences.append(f"{name}: not recorded")
        elif not file.is_mapped and content != bytes(file.newest).ljust(file.newest_size, b"\0"):
            self.differences.append(f"{name}: has other content than was recorded")

    def _add_change(self, change: Change) -> None:
        self.newest.change(change)
        self.changes.append(change)

    def _on_open(self, place: int, event: Event) -> None:
        if event.name in self.newest.folders:
            self._open[event.fd] = event.name
            return
        file = self.newest.files.get(event.name)
        if file is None:
            file = File()
            self._add_change(Change(place, _folder(event.name), event.name, file))
        elif event.flag:
            file.resize(place, 0)
        self._open[event.fd] = file

    def _on_close(self, _: int, event: Event) -> None:
        self._open.pop(event.fd, None)

    def _on_mkdir(self, place: int, event: Event) -> None:
        self._add_change(Change(place, _folder(event.name), event.name, is_folder=True))

    def _on_unlink(self, place: int, event: Event) -> None:
        self._add_change(Change(place, _folder(event.name), event.name))

    def _on_rename(self, place: int, event: Event) -> None:
        """From one folder to another it is two changes; the old name does not go alone."""
        name = event.content.decode()
        change = Change(place, _folder(name), name, self.newest.files[event.name], event.name)
        if _folder(event.name) == change.folder:
            self._add_change(change)
        else:
            change.old_name = None
            self._add_change(change)
            self._add_change(Change(place, _folder(event.name), event.name, after=change))

    def _on_link(self, place: int, event: Event) -> None:
        name = event.content.decode()
        self._add_change(Change(place, _folder(name), name, self.newest.files[event.name]))

    def _file(self, fd: int) -> File:
        file = self._open[fd]
        assert isinstance(file, File)
        return file

    def _on_truncate(self, place: int, event: Event) -> None:
        self._file(event.fd).resize(place, event.offset)

    def _on_allocate(self, place: int, event: Event) -> None:
        file = self._file(event.fd)
        if event.offset > file.newest_size:
            file.resize(place, event.offset)

    def _on_mapped(self, _: int, event: Event) -> None:
        self._file(event.fd).is_mapped = True

    def _on_write(self, place: int, event: Event) -> None:
        self._targets[place] = self._open[event.fd]
        self._file(event.fd).write(place, event.offset, event.content)

    def _on_sync(self, place: int, event: Event) -> None:
        """It counts when it has ended."""
        self._targets[place] = self._open[event.fd]

    def _on_end(self, place: int, event: Event) -> None:
        first = self.events[event.begun]
        target = self._targets[event.begun]
        delay_s = max((delay for lie, delay in self._lies.items()
                       for name, one in self.newest.files.items()
                       if one is target and name.startswith(lie)), default=0.0)
        if first.kind is Kind.SYNC or first.flag:
            if delay_s > 0:
                heapq.heappush(self._late, (event.clock_ns + delay_s * 1e9, place))
            else:
                self._settle(place)

    def _settle(self, place: int) -> None:
        """What an END says is durable is so."""
        begun = self.events[place].begun
        first, target = self.events[begun], self._targets[begun]
        if isinstance(target, str):
            self._sync_folder(target, begun)
        elif first.kind is Kind.WRITE:
            target.written_through(begun, first.offset + len(first.content))
        else:
            target.sync(lambda other: self._done_before(other, begun))

    def _done_before(self, place: int, begun: int) -> bool:
        """Had the event at the place ended when a sync began? What has no end is one step."""
        event = self.events[place]
        if event.kind is Kind.WRITE:
            return 0 <= event.ended < begun
        return place < begun

    def _sync_folder(self, folder: str, begun: int) -> None:
        done = [change for change in self.changes
                if change.folder == folder and change.place < begun]
        needed = [change.after for change in done if change.after is not None]
        kept = []
        for change in self.changes:
            if any(change is one for one in done + needed):
                self.durable.change(change)
            else:
                kept.append(change)
        self.changes = kept

    # ------------------------------------------------------------ what is left of it

    def compare_with(self, folder: Path) -> list[str]:
        """Everything that differs between a folder and what would be left if all survived: it was
        not recorded."""
        self.differences = []
        found = {str(path.relative_to(folder)): path for path in folder.rglob("*")
                 if path.is_file()}
        for name, path in found.items():
            self._compare(name, path.read_bytes())
        return self.differences + [f"{name}: is not there" for name in
                                   self.newest.files.keys() - found.keys()]

    def write_image(self, folder: Path, luck: Luck, chance: random.Random) -> None:
        """Make the folder what a power cut now may leave."""
        names = Names(dict(self.durable.files), set(self.durable.folders))
        places = [place for file in set(self.newest.files.values())
                  for versions in [*file.sectors.values(), file.sizes] for place, _ in versions]
        places += [change.place for change in self.changes]
        last = chance.choice(sorted(set(places))) if places else 0
        kept: dict[str, int] = {}
        lost: list[Change] = []
        for change in self.changes:
            if change.folder not in kept:
                count = sum(other.folder == change.folder for other in self.changes)
                kept[change.folder] = chance.randint(0, count)
            kept[change.folder] -= 1
            survives = luck is Luck.ALL or (luck is Luck.FIRST and change.place <= last) or (
                luck is Luck.ANY and kept[change.folder] >= 0)
            if survives and (change.after is None
                             or not any(change.after is one for one in lost)):
                names.change(change)
            else:
                lost.append(change)
        folder.mkdir(mode=0o700)
        for name in sorted(names.folders - {""}):
            if _folder(name) in names.folders | {""}:
                (folder / name).mkdir(mode=0o700)
        for name, file in names.files.items():
            if (folder / name).parent.is_dir():
                _write(folder / name, file, luck, chance, last)


def _write(path: Path, file: File, luck: Luck, chance: random.Random, last: int) -> None:
    content, size = file.image(luck, chance, last)
    if file.is_mapped:
        content = bytearray(chance.choice([b"", chance.randbytes(size)]))
    with path.open("wb") as out:
        path.chmod(0o600)
        out.write(content[:size])
        out.truncate(size)
