"""The end of a trial: no fault is left, everything comes to rest, and each node is asked what it
has."""

import asyncio
import json
import time
from typing import Any

from tools.local.control import ControlError, ask
from tools.local.layout import Node
from tools.trial.field import POLL_S, Field, NotHealed
from tools.trial.history import FinalNode, FinalSession

EQUAL_TIMEOUT_S = 60.0
SCRUB_TIMEOUT_S = 120
DELIVER_TIMEOUT_S = 60.0


async def until_equal(field: Field) -> None:
    """Wait until all nodes have applied the same, and store all of it: nothing is written any more
    by anybody. Their hashes there are what the judge compares."""
    deadline = time.monotonic() + EQUAL_TIMEOUT_S
    while True:
        try:
            hashes = [await asyncio.to_thread(ask, node.control, "state.hash")
                      for node in field.cluster.nodes]
        except ControlError as error:
            hashes, why = [], str(error)
        else:
            why = json.dumps(hashes)
        if hashes and all(one["current"] for one in hashes) and len(
                {one["index"] for one in hashes}) == 1:
            break
        if time.monotonic() > deadline:
            raise NotHealed(f"no equal index after {EQUAL_TIMEOUT_S:.0f} s: {why}")
        await asyncio.sleep(POLL_S)
    await _record_nodes(field, hashes)


async def _record_nodes(field: Field, hashes: list[dict[str, Any]]) -> None:
    reports = await field.reports()
    said = await field.ctl("ha", "status", "--json")
    states = {row["node"]: row["state"] for row in said.json()["nodes"]} if said.code == 0 else {}
    for node_id, one in zip(field.ids, hashes):
        field.record.write(FinalNode(
            field.record.now(), node_id, one["index"], one["hash"], reports[node_id]["serving"],
            states.get(node_id, ""), [str(alarm) for alarm in reports[node_id]["alarms"]]))


async def scrub(field: Field) -> list[str]:
    """Each node reads all rows on its disk; returns what is wrong."""
    said = await field.ctl("state", "scrub", "--json", timeout_s=SCRUB_TIMEOUT_S)
    return [] if said.code == 0 else [f"scrub: {said.out.strip()} {said.err.strip()}"]


async def until_delivered(field: Field) -> None:
    """Wait until no session that is live has anything pending."""
    deadline = time.monotonic() + DELIVER_TIMEOUT_S
    while waiting := [row for row in await _sessions(field.cluster.nodes[0])
                      if row["state"] == "live" and row["pending"] > 0]:
        if time.monotonic() > deadline:
            field.note(f"still pending after {DELIVER_TIMEOUT_S:.0f} s: {json.dumps(waiting)}")
            return
        await asyncio.sleep(POLL_S)


async def record_sessions(field: Field) -> None:
    """Who is there, as each node has it."""
    for node in field.cluster.nodes:
        for row in await _sessions(node):
            field.record.write(FinalSession(
                field.record.now(), node.id, f"{row['user']}/{row['resource']}", row["state"],
                row["node"], row["left_s"]))


async def _sessions(node: Node) -> list[dict[str, Any]]:
    """All sessions in the state of a node, with what is left of their deadlines."""
    rows: list[dict[str, Any]] = []
    more = True
    while more:
        args = {"after": rows[-1]["id"]} if rows else {}
        answer = await asyncio.to_thread(ask, node.control, "session.list", args)
        for row in answer["sessions"]:
            ends_ms = row["deadline_ms"]
            row["left_s"] = (ends_ms - answer["time_ms"]) / 1000 if ends_ms else None
        rows += answer["sessions"]
        more = answer["more"]
    return rows
