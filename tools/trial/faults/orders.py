"""What operators order: another leader, a restart of one node after the other, a failover."""

import asyncio
import random

from tools.trial.faults.fault import Fault
from tools.trial.field import Field
from tools.trial.schedule import Blow


def _draw_transfer(chance: random.Random, ids: list[int]) -> Blow:
    return Blow("transfer", "on order", (chance.choice(ids),), chance.uniform(0.5, 3))


async def _transfer(field: Field, blow: Blow) -> None:
    """It may be refused, when another fault is there; then nothing happens."""
    number = field.began(blow.fault, blow.nodes, detail=blow.shape)
    said = await field.ctl("cluster", "transfer", str(blow.nodes[0]))
    await asyncio.sleep(blow.length_s)
    field.ending(number, said.err.strip())


def _draw_roll(chance: random.Random, ids: list[int]) -> Blow:
    return Blow("roll", "all", tuple(chance.sample(ids, len(ids))), chance.uniform(0, 1),
                frozenset(ids), alone=True)


async def _roll(field: Field, blow: Blow) -> None:
    """As for an upgrade: drain, stop, start, fall back, one after the other."""
    for node_id in blow.nodes:
        await field.until_whole()
        drained = await field.ctl("ha", "drain", str(node_id), "--rate", "100/s", "--watch",
                                  timeout_s=60)
        await field.stop(node_id)
        number = field.began(blow.fault, [node_id], down=[node_id],
                             detail=f"restart {drained.err.strip()}".strip())
        await asyncio.sleep(blow.length_s)
        field.ending(number)
        field.start(node_id)
        await field.until_whole()
        await field.ctl("ha", "fallback", str(node_id), "--watch", timeout_s=60)


def _draw_failover(chance: random.Random, ids: list[int]) -> Blow:
    paired = ids[:len(ids) // 2 * 2]
    return Blow("failover", "and fallback", (chance.choice(paired),), chance.uniform(1, 6))


async def _failover(field: Field, blow: Blow) -> None:
    """Sessions move to the peer and back."""
    node_id = str(blow.nodes[0])
    number = field.began(blow.fault, blow.nodes, detail=blow.shape)
    away = await field.ctl("ha", "failover", node_id, "--rate", "100/s", timeout_s=30)
    await asyncio.sleep(blow.length_s)
    back = await field.ctl("ha", "fallback", node_id, "--watch", timeout_s=60)
    field.ending(number, f"{away.err.strip()} {back.err.strip()}".strip())


FAULTS = [
    Fault("transfer", "leadership handed on", _draw_transfer, _transfer),
    Fault("roll", "every node drained, stopped and started, one after the other", _draw_roll,
          _roll),
    Fault("failover", "the users of a node moved to its peer and back", _draw_failover, _failover),
]
