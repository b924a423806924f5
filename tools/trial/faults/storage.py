"""Disks that are full, do not answer, or answer with errors."""

import asyncio
import random

from tools.trial.faults.fault import DISK, GEAR, Fault
from tools.trial.field import POLL_S, Field
from tools.trial.schedule import Blow

TROUBLES = {"held": "", "log errors": "log", "store errors": "store"}


def _draw_full(chance: random.Random, ids: list[int]) -> Blow:
    nodes = (chance.choice(ids),)
    return Blow("full", "all at once", nodes, chance.uniform(3, 8), frozenset(nodes))


async def _full(field: Field, blow: Blow) -> None:
    """The node ends when it cannot go on, and says why; then it needs an operator, who makes room
    and starts it."""
    node_id = blow.nodes[0]
    field.may_end.add(node_id)
    await asyncio.to_thread(field.disks[node_id].fill)
    number = field.began(blow.fault, blow.nodes, detail=blow.shape)
    await asyncio.sleep(blow.length_s)
    ended = "" if field.is_running(node_id) else "the node has ended"
    field.ending(number, ended)
    await asyncio.to_thread(field.disks[node_id].clear)


def _draw_io(chance: random.Random, ids: list[int]) -> Blow:
    nodes = (chance.choice(ids),)
    shape = chance.choice(list(TROUBLES))
    return Blow("io", shape, nodes, chance.uniform(1, 8), frozenset(nodes))


async def _io(field: Field, blow: Blow) -> None:
    """Held writes go on afterwards; a node that got an error has ended, or ends for that."""
    node_id = blow.nodes[0]
    if blow.shape != "held":
        field.may_end.add(node_id)
    field.set_disk(node_id, TROUBLES[blow.shape])
    number = field.began(blow.fault, blow.nodes, detail=blow.shape)
    end = asyncio.get_running_loop().time() + blow.length_s
    while asyncio.get_running_loop().time() < end and field.is_running(node_id):
        await asyncio.sleep(POLL_S)
    ended = "" if field.is_running(node_id) else "the node has ended"
    field.ending(number, ended)
    field.set_disk(node_id, None)


FAULTS = [
    Fault("full", "a disk without any room", _draw_full, _full, frozenset([DISK])),
    Fault("io", "writes that do not return, or fail, to the log or to the store", _draw_io, _io,
          frozenset([GEAR])),
]
