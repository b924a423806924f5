"""What a kind of fault is: how it is drawn, how it strikes, what it needs."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tools.trial.field import Field
from tools.trial.schedule import Blow, Draw, majority

NETWORK, WIRE, DISK, GEAR = "network", "wire", "disk", "gear"  # see ground.py
MAJORITY_ODDS = 6     # one time in so many a fault takes the majority
Strike = Callable[[Field, Blow], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault. strike() returns when it is over, and leaves the cluster to heal."""

    name: str
    summary: str
    draw: Draw
    strike: Strike
    needs: frozenset[str] = frozenset()


def takes_majority(chance: random.Random) -> bool:
    """Is this the one?"""
    return chance.randrange(MAJORITY_ODDS) == 0


def some_majority(chance: random.Random, ids: list[int]) -> tuple[int, ...]:
    """So many nodes that the others are no majority."""
    return tuple(sorted(chance.sample(ids, len(ids) - majority(ids) + 1)))
