"""Processes that die, hang, or all lose power at once."""

import asyncio
import random
import signal

from tools.trial.faults.fault import Fault, some_majority, takes_majority
from tools.trial.field import Field
from tools.trial.schedule import Blow


def _draw_kill(chance: random.Random, ids: list[int]) -> Blow:
    if takes_majority(chance):
        nodes = some_majority(chance, ids)
        return Blow("kill", "majority", nodes, chance.uniform(1, 6), frozenset(nodes), alone=True)
    nodes = (chance.choice(ids),)
    return Blow("kill", "one", nodes, chance.uniform(0, 8), frozenset(nodes))


async def _kill(field: Field, blow: Blow) -> None:
    await field.kill(blow.nodes)
    number = field.began(blow.fault, blow.nodes, down=blow.nodes, detail=blow.shape)
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    for node_id in blow.nodes:
        field.start(node_id)


def _draw_pause(chance: random.Random, ids: list[int]) -> Blow:
    if takes_majority(chance):
        nodes = some_majority(chance, ids)
        return Blow("pause", "majority", nodes, chance.uniform(2, 6), frozenset(nodes), alone=True)
    nodes = (chance.choice(ids),)
    if chance.random() < 0.4:
        return Blow("pause", "short", nodes, chance.uniform(0.1, 0.9), frozenset(nodes))
    return Blow("pause", "beyond the lease", nodes, chance.uniform(1.5, 10), frozenset(nodes))


async def _pause(field: Field, blow: Blow) -> None:
    for node_id in blow.nodes:
        field.signal(node_id, signal.SIGSTOP)
    number = field.began(blow.fault, blow.nodes, down=blow.nodes, detail=blow.shape)
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    for node_id in blow.nodes:
        field.signal(node_id, signal.SIGCONT)


def _draw_power(chance: random.Random, ids: list[int]) -> Blow:
    return Blow("power", "all", tuple(ids), chance.uniform(0, 2), frozenset(ids), alone=True)


async def _power(field: Field, blow: Blow) -> None:
    await field.kill(blow.nodes)
    number = field.began(blow.fault, blow.nodes, down=blow.nodes)
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    for node_id in blow.nodes:
        field.start(node_id)


FAULTS = [
    Fault("kill", "kill -9 of a node, or of so many that no majority is left", _draw_kill, _kill),
    Fault("pause", "SIGSTOP, for less than the lease or for longer", _draw_pause, _pause),
    Fault("power", "kill -9 of all nodes at once", _draw_power, _power),
]
