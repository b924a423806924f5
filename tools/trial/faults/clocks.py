"""Wall clocks that somebody sets."""

import asyncio
import random

from tools.trial.faults.fault import GEAR, Fault
from tools.trial.field import Field
from tools.trial.schedule import Blow

STEPS_S = [-86400, -7200, -60, -2, 2, 60, 7200, 86400]


def _draw_clock(chance: random.Random, ids: list[int]) -> Blow:
    nodes = tuple(sorted(chance.sample(ids, chance.choice([1, 1, len(ids)]))))
    steps = [chance.choice(STEPS_S) for _ in nodes]
    shape = "one" if len(nodes) == 1 else "each another way"
    return Blow("clock", shape, nodes, chance.uniform(1, 8),
                numbers={f"step{node_id}": step for node_id, step in zip(nodes, steps)})


async def _clock(field: Field, blow: Blow) -> None:
    """There and back."""
    for node_id in blow.nodes:
        field.set_clock(node_id, int(blow.numbers[f"step{node_id}"]))
    number = field.began(blow.fault, blow.nodes, detail=f"{blow.shape} {dict(blow.numbers)}")
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    for node_id in blow.nodes:
        field.set_clock(node_id, 0)


FAULTS = [
    Fault("clock", "wall clocks set forward or back, by seconds or a day", _draw_clock, _clock,
          frozenset([GEAR])),
]
