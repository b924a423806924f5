"""musterctl ha fallback waits for a node that starts, and for nothing else.

Method: a control socket of our own, which answers each request with the next of a few answers.
"""

import json
import socketserver
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any

from tests.operator.ctl import REFUSED, Said, musterctl

STARTING = {"ok": False, "error": "starting", "text": "the node does not serve yet"}
NOT_ALLOWED = {"ok": False, "error": "not_allowed", "text": "the node is not running"}
OK = {"ok": True, "result": {}}


class Server(socketserver.UnixStreamServer):
    """Gives the answers in their order, the last one again and again."""

    def __init__(self, path: str, answers: list[dict[str, Any]]) -> None:
        super().__init__(path, Handler)
        self.answers = answers
        self.asked: list[dict[str, Any]] = []


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        """Each line is a request."""
        for line in self.rfile:
            request = json.loads(line)
            answers = self.server.answers
            answer = answers[min(len(self.server.asked), len(answers) - 1)]
            self.server.asked.append(request)
            self.wfile.write(json.dumps({**answer, "id": request["id"]}).encode() + b"\n")


class Starting(unittest.TestCase):
    """musterctl and a node that is none."""

    def ask(self, answers: list[dict[str, Any]], *arguments: str) -> tuple[Said, list[str]]:
        """What musterctl says, and the verbs that it asked for."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "control")
            with Server(path, answers) as server:
                thread = threading.Thread(target=server.serve_forever)
                thread.start()
                try:
                    said = musterctl("--control", path, *arguments)
                finally:
                    server.shutdown()
                    thread.join()
                return said, [request["verb"] for request in server.asked]

    def test_until_it_serves(self) -> None:
        """It is asked again until it serves."""
        said, verbs = self.ask([STARTING, STARTING, OK], "ha", "fallback", "1")
        self.assertEqual((0, ""), (said.code, said.err))
        self.assertEqual(["ha.fallback"] * 3, verbs)

    def test_timeout(self) -> None:
        """Not for longer than --timeout; then it is a refusal."""
        begin = time.monotonic()
        said, verbs = self.ask([STARTING], "--timeout", "1", "ha", "fallback", "1")
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.assertEqual((REFUSED, "musterctl: the node does not serve yet\n"),
                         (said.code, said.err))
        self.assertGreater(len(verbs), 2)

    def test_other_refusals(self) -> None:
        """Any other refusal is the end, and so it is for other requests."""
        for answer, verb in ((NOT_ALLOWED, "fallback"), (STARTING, "drain"),
                             (STARTING, "failover")):
            with self.subTest(verb=verb):
                said, verbs = self.ask([answer], "ha", verb, "1")
                self.assertEqual((REFUSED, f"musterctl: {answer['text']}\n"), (said.code, said.err))
                self.assertEqual([f"ha.{verb}"], verbs)


if __name__ == "__main__":
    unittest.main()
