"""Garbage on the control socket, which only root and the owner of the node can open."""

import asyncio
import contextlib
import json
import os

from tests.hostile.scene import HostileCase

LINE_BYTES_MAX = 4 * 1024 * 1024
TIMEOUT_S = 8.0
BAD_LINES = [
    b"", b" ", b"null", b"[]", b"42", b'"text"', b"{", b"}{", b"{'verb': 'node.status'}",
    b"\xff\xfe\xfd", b"\x00", b'{"verb": 1}', b"{}", b'{"verb": null}', b'{"verb": "no.such"}',
    b'{"verb": "user.add", "args": []}', b'{"verb": "user.add", "args": {"user": 1}}',
    b'{"verb": "user.add", "args": {"user": "a@b@c", "password": "x"}}',
    b'{"verb": "user.add", "args": {"user": "a@example.test", "password": "\\u0000"}}',
    b'{"verb": "user.show", "args": {"user": ""}}',
    b'{"verb": "session.kill", "args": {"session": "x"}}',
    b'{"verb": "state.hash", "args": {"index": 999999999}}',
    b'{"verb": "state.hash", "args": {"index": 0}}',
    b'{"verb": "state.hash", "args": {"index": -1}}',
    b'{"verb": "state.hash", "args": {"index": "newest"}}',
    b'{"verb": "state.hash", "args": {"index": 1.5}}',
    b'{"verb": "member.remove", "args": {"node": 4294967297}}',
    b'{"verb": "node.remove"}', b'{"verb": "node.remove", "args": {"node": -1}}',
    b'{"verb": "node.promote", "args": {"node": "1"}}',
    b'{"verb": "log.level", "args": {"level": "loud"}}',
    b"[" * 100000, b'{"a":' * 100000,
]


class Control(HostileCase):
    """Each line is answered by a line that says what is wrong with it."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the control socket of the node under attack."""
        path = self.cluster.cluster.node(self.node_id).control
        return await asyncio.open_unix_connection(path, limit=8 * LINE_BYTES_MAX)

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                  line: bytes) -> dict[str, object]:
        """One line there, one back."""
        writer.write(line + b"\n")
        return json.loads(await asyncio.wait_for(reader.readline(), TIMEOUT_S))

    async def test_bad_lines(self) -> None:
        """Bad JSON, unknown verbs and wrong arguments: an error each, on one connection."""
        reader, writer = await self.connect()
        for line in BAD_LINES:
            with self.subTest(line[:100]):
                answer = await self.ask(reader, writer, line)
                self.assertFalse(answer["ok"])
                self.assertTrue(answer["text"])
        self.assertTrue((await self.ask(reader, writer, b'{"verb": "node.status"}'))["ok"])
        writer.close()

    async def test_endless_line(self) -> None:
        """A line beyond the limit is answered before it ends and dropped; the next is a line."""
        reader, writer = await self.connect()
        writer.write(b"x" * (20 * LINE_BYTES_MAX))
        answer = json.loads(await asyncio.wait_for(reader.readline(), TIMEOUT_S))
        self.assertEqual("limit", answer["error"])
        self.assertTrue((await self.ask(reader, writer, b'\n{"verb": "node.status"}'))["ok"])
        writer.close()

    async def test_noise(self) -> None:
        """Random bytes: as many answers as lines, and the node lives."""
        noise = os.urandom(200000)
        reader, writer = await self.connect()
        writer.write(noise + b"\n")
        for _ in range(noise.count(b"\n") + 1):
            answer = json.loads(await asyncio.wait_for(reader.readline(), TIMEOUT_S))
            self.assertFalse(answer["ok"])
        writer.close()

    async def test_asks_and_never_reads(self) -> None:
        """Answers that nobody takes do not pile up: reading stops first."""
        _, writer = await self.connect()
        writer.transport.pause_reading()
        request = b'{"verb": "node.status"}\n' * 1000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                for _ in range(2000):
                    writer.write(request)
                    await writer.drain()
        self.check_growth(self.resident())
        writer.transport.abort()
