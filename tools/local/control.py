"""Ask a node through its control socket: one JSON object a line, each way."""

import json
import socket
from typing import Any

TIMEOUT_S = 5.0


class ControlError(Exception):
    """The node refused, with a reason, or could not be asked."""


def ask(path: str, verb: str, args: dict[str, Any] | None = None,
        timeout_s: float = TIMEOUT_S) -> Any:
    """Send one request and return its result."""
    request = json.dumps({"verb": verb, "args": args or {}}) + "\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(path)
            connection.sendall(request.encode())
            with connection.makefile("rb") as stream:
                line = stream.readline()
    except OSError as error:
        raise ControlError(f"{path}: {error}") from error
    try:
        answer = json.loads(line)
    except json.JSONDecodeError as error:
        raise ControlError(f"{path}: no answer") from error
    if not answer.get("ok"):
        raise ControlError(answer.get("text") or answer.get("error") or "refused")
    return answer.get("result")
