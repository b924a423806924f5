"""The pages of an LMDB file that its newest state consists of (lmdb 0.9, mdb.c)."""

import random
import struct
from collections.abc import Iterator

PAGE = 4096
HEADER_BYTES = 16
BRANCH, LEAF = 1, 2
NODE_HEADER_BYTES = 8
NODE_IS_LARGE, NODE_IS_TABLE = 1, 2
NO_PAGE = 2 ** 64 - 1
TABLE = struct.Struct("<IHHQQQQQ")  # struct MDB_db; the root comes last
TABLES_AT = HEADER_BYTES + 24       # in a meta page, behind magic, version, address, map size
LAST_AT = TABLES_AT + 2 * TABLE.size
MAIN = 1                            # 0: the list of free pages


class Pages:
    """Branch pages and leaves of all tables."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._nodes: dict[int, list[tuple[int, int]]] = {BRANCH: [], LEAF: []}  # page, node
        meta = max((0, 1), key=lambda page: struct.unpack_from("<Q", data,
                                                               page * PAGE + LAST_AT + 8))
        self._walk(TABLE.unpack_from(data, meta * PAGE + TABLES_AT + MAIN * TABLE.size)[-1])

    def _nodes_of(self, page: int) -> tuple[int, list[int]]:
        """Kind of the page and where its nodes begin."""
        flags, lower = struct.unpack_from("<HH", self._data, page * PAGE + 10)
        count = (lower - HEADER_BYTES) // 2
        places = struct.unpack_from(f"<{count}H", self._data, page * PAGE + HEADER_BYTES)
        return flags & (BRANCH | LEAF), [page * PAGE + place for place in places]

    def _below(self, kind: int, node: int) -> Iterator[int]:
        low, high, flags, key_bytes = struct.unpack_from("<HHHH", self._data, node)
        if kind == BRANCH:
            yield low | high << 16 | flags << 32
        elif flags & NODE_IS_TABLE:
            yield TABLE.unpack_from(self._data, node + NODE_HEADER_BYTES + key_bytes)[-1]

    def _walk(self, page: int) -> None:
        if page == NO_PAGE:
            return
        kind, nodes = self._nodes_of(page)
        self._nodes[kind] += [(page, node) for node in nodes]
        for node in nodes:
            for below in self._below(kind, node):
                self._walk(below)

    def branch_key(self, chance: random.Random) -> int:
        """The first byte of a key in a branch page: searches go astray by it. (The first node of a
        page has none.)"""
        places = [node + NODE_HEADER_BYTES for _, node in self._nodes[BRANCH]
                  if struct.unpack_from("<H", self._data, node + 6)[0] > 0]
        return chance.choice(places)

    def bytes_in(self, kind: int, chance: random.Random) -> int:
        """A byte of a value in such a page."""
        places = []
        for _, node in self._nodes[kind]:
            low, _, flags, key_bytes = struct.unpack_from("<HHHH", self._data, node)
            if not flags & (NODE_IS_LARGE | NODE_IS_TABLE) and low > 64:
                places.append(node + NODE_HEADER_BYTES + key_bytes + low // 2)
        return chance.choice(places)
