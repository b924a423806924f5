"""What befalls a cluster, and whom, and how long: drawn from one seed, before anything happens.

A schedule is a sequence of rounds. In a round one fault, or several at once, hit the cluster; then
it heals, and is left in peace for a while. Several come together only as long as a majority of the
voters still runs; faults that take the majority, or all nodes, come alone. The names are dealt like
cards, so that each has its turn before any comes again. Some rounds come in haste, while nodes that
were hit before are still on their way back.

The rounds say nothing of the time of day: how long healing takes is the cluster's business.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

LONGEST_CALM_S = 5.0
COMPANY = 0.4         # how likely it is that one more fault joins those of a round
HASTE = 0.2           # how likely it is that a round does not wait until the cluster has healed
LATEST_S = 3.0        # the last fault of a round begins so long after the first


@dataclass(frozen=True)
class Blow:
    """A fault as it was drawn."""

    fault: str
    shape: str
    nodes: tuple[int, ...]            # whom it hits
    length_s: float
    taken: frozenset[int] = frozenset()  # those that cannot vote meanwhile
    alone: bool = False               # no other fault at the same time
    after_s: float = 0.0              # from the begin of the round
    numbers: Mapping[str, float] = field(default_factory=dict)  # whatever else was drawn

    def __str__(self) -> str:
        nodes = ",".join(map(str, self.nodes)) or "-"
        numbers = "".join(f" {name}={value:g}" for name, value in self.numbers.items())
        return (f"{self.fault} {self.shape} nodes={nodes} after={self.after_s:.1f}s "
                f"for={self.length_s:.1f}s{numbers}")


@dataclass(frozen=True)
class Round:
    """Blows that fall together, after some calm. waits: only when the cluster has healed."""

    number: int
    calm_s: float
    waits: bool
    blows: tuple[Blow, ...]


Draw = Callable[[random.Random, list[int]], Blow]


def majority(ids: list[int]) -> int:
    """So many voters are one."""
    return len(ids) // 2 + 1


def rounds(seed: int, ids: list[int], draws: Mapping[str, Draw]) -> Iterator[Round]:
    """The rounds for these nodes, without end."""
    chance = random.Random(f"{seed} {sorted(ids)} {sorted(draws)}")
    deck: list[str] = []
    for number in itertools.count(1):
        if not deck:
            deck = sorted(draws)
            chance.shuffle(deck)
        waits = chance.random() >= HASTE
        calm_s = chance.uniform(0.5, LONGEST_CALM_S) if waits else chance.uniform(0, 0.5)
        blows = [draws[deck.pop()](chance, ids)]
        while not blows[0].alone and chance.random() < COMPANY:
            _join(chance, ids, blows, draws[chance.choice(sorted(draws))](chance, ids))
        yield Round(number, calm_s, waits, tuple(blows))


def _join(chance: random.Random, ids: list[int], blows: list[Blow], more: Blow) -> None:
    """Let one more fault come, if a majority runs all the while and none is there already."""
    taken = frozenset().union(*(blow.taken for blow in blows))
    after_s = chance.uniform(0, LATEST_S)
    if (more.alone or more.fault in {blow.fault for blow in blows} or taken & more.taken
            or len(ids) - len(taken | more.taken) < majority(ids)):
        return
    blows.append(Blow(more.fault, more.shape, more.nodes, more.length_s, more.taken,
                      after_s=after_s, numbers=more.numbers))
