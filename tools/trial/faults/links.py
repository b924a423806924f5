"""Networks between nodes that swallow what is sent, or deliver it late and with losses."""

import asyncio
import itertools
import random

from tools.trial.faults.fault import NETWORK, WIRE, Fault, takes_majority
from tools.trial.field import Field
from tools.trial.schedule import Blow, majority

Pairs = list[tuple[int, int]]
SHAPES = ["alone", "mute", "deaf", "link", "one way", "halves", "dark"]


def _draw_cut(chance: random.Random, ids: list[int]) -> Blow:
    length_s = chance.uniform(1, 10)
    if takes_majority(chance):
        return Blow("cut", "all links", tuple(ids), length_s, frozenset(ids), alone=True)
    shape = chance.choice(SHAPES)
    if shape in ("link", "one way"):
        pair = tuple(chance.sample(ids, 2))
        return Blow("cut", shape, pair, length_s, frozenset(pair[:1]))
    count = len(ids) - majority(ids) if shape == "halves" else 1
    nodes = tuple(sorted(chance.sample(ids, count)))
    return Blow("cut", shape, nodes, length_s, frozenset(nodes))


def pairs_of(blow: Blow, ids: list[int]) -> Pairs:
    """From whom to whom nothing gets any more."""
    nodes = blow.nodes
    others = [one for one in ids if one not in nodes]
    out = list(itertools.product(nodes, others))
    into = [(one, other) for other, one in out]
    if blow.shape == "all links":
        return [(one, other) for one, other in itertools.permutations(ids, 2)]
    if blow.shape == "link":
        return [(nodes[0], nodes[1]), (nodes[1], nodes[0])]
    if blow.shape == "one way":
        return [(nodes[0], nodes[1])]
    return {"mute": out, "deaf": into}.get(blow.shape, out + into)


async def _cut(field: Field, blow: Blow) -> None:
    assert field.network is not None
    pairs = pairs_of(blow, field.ids)
    if blow.shape == "dark":
        field.network.set_line(blow.nodes[0], False)
    else:
        field.network.cut(pairs)
    number = field.began(blow.fault, blow.nodes, cut=pairs, detail=blow.shape)
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    if blow.shape == "dark":
        field.network.set_line(blow.nodes[0], True)
    else:
        field.network.heal(pairs)


def _draw_slow(chance: random.Random, ids: list[int]) -> Blow:
    length_s = chance.uniform(2, 10)
    numbers = {"delay": round(chance.choice([0.002, 0.02, 0.1, 0.3]), 3),
               "jitter": round(chance.choice([0.0, 0.01, 0.1]), 3),
               "loss": round(chance.choice([0.0, 0.01, 0.1, 0.3]), 3)}
    if chance.random() < 0.4:
        return Blow("slow", "all links", tuple(ids), length_s, frozenset(ids), alone=True,
                    numbers=numbers)
    nodes = (chance.choice(ids),)
    return Blow("slow", chance.choice(["one node", "what one sends"]), nodes, length_s,
                frozenset(nodes), numbers=numbers)


async def _slow(field: Field, blow: Blow) -> None:
    assert field.wire is not None
    pairs = [(one, other) for one, other in itertools.permutations(field.ids, 2)]
    if blow.shape == "one node":
        pairs = [pair for pair in pairs if blow.nodes[0] in pair]
    elif blow.shape == "what one sends":
        pairs = [pair for pair in pairs if blow.nodes[0] == pair[0]]
    rule = (blow.numbers["delay"], blow.numbers["jitter"], blow.numbers["loss"])
    field.wire.slow(pairs, rule)
    number = field.began(blow.fault, blow.nodes, detail=f"{blow.shape} {dict(blow.numbers)}")
    await asyncio.sleep(blow.length_s)
    field.ending(number, f"round trips up to {await _round_trip_ms(field):.0f} ms")
    field.wire.heal()


async def _round_trip_ms(field: Field) -> float:
    """The longest that a node has measured to another."""
    reports = await field.reports()
    return max((peer["rtt_us"] for report in reports.values()
                for peer in report.get("peers", [])), default=0) / 1000


FAULTS = [
    Fault("cut", "links that swallow everything: of one node, both ways or one; between two "
          "nodes; between parts; all; or the node's whole line, clients included", _draw_cut, _cut,
          frozenset([NETWORK])),
    Fault("slow", "links that deliver late and lose packets", _draw_slow, _slow,
          frozenset([NETWORK, WIRE])),
]
