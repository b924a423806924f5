"""Reads what tests/lib/disk_recorder wrote: what a node did to its files, and when."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

HEADER = struct.Struct("<BBHiI4xQQQ")  # struct header in tests/lib/disk_recorder/trace.c


class Kind(IntEnum):
    """enum trace_kind in tests/lib/disk_recorder/trace.h."""

    START = 1
    FOLDER = 2
    FILE = 3
    OPEN = 4
    CLOSE = 5
    MKDIR = 6
    UNLINK = 7
    RENAME = 8
    LINK = 9
    TRUNCATE = 10
    ALLOCATE = 11
    MAPPED = 12
    WRITE = 13
    SYNC = 14
    END = 15


@dataclass(slots=True)
class Event:
    """One record. begun: the place of the event that an END ends; ended: the place of the END of
    a WRITE or SYNC, -1 when the process did not live to see it."""

    kind: Kind
    flag: bool
    fd: int
    number: int
    clock_ns: int
    offset: int
    name: str
    content: bytes
    begun: int = -1
    ended: int = -1
    failed: bool = False


def _events(data: bytes) -> list[Event]:
    events = []
    place = 0
    while place + HEADER.size <= len(data):
        kind, flag, name_len, fd, number, clock_ns, offset, content_len = HEADER.unpack_from(
            data, place)
        name_end = place + HEADER.size + name_len
        end = name_end + content_len
        if end > len(data):
            break  # the process was killed while it wrote this
        events.append(Event(Kind(kind), bool(flag), fd, number, clock_ns, offset,
                            data[place + HEADER.size:name_end].decode(), data[name_end:end]))
        place = end
    return events


def read(prefix: Path) -> list[Event]:
    """All events of all processes that were recorded one after the other under this name. Each
    begin knows its end; writes and syncs that failed are marked. Of a write that was cut short only
    what was written is left."""
    processes = [_events(path.read_bytes()) for path in prefix.parent.glob(prefix.name + ".*")]
    processes.sort(key=lambda events: events[0].clock_ns)
    events = [event for process in processes for event in process]
    begun: dict[int, int] = {}
    for place, event in enumerate(events):
        if event.kind is Kind.START:
            begun.clear()
        elif event.kind in (Kind.WRITE, Kind.SYNC):
            begun[event.number] = place
        elif event.kind is Kind.END:
            event.begun = begun.pop(event.number)
            first = events[event.begun]
            first.ended = place
            result = event.offset - 2 ** 64 if event.offset >= 2 ** 63 else event.offset
            first.failed = event.failed = result < 0
            if first.kind is Kind.WRITE and not first.failed:
                first.content = first.content[:result]
    return events
