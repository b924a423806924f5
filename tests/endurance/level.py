"""Does a measure level off? A judgement of samples that were taken at a steady pace.

The first third is for what has to fill up. Then the median of the last third may be no more than
that of the middle third and a tolerance: a median does not see single peaks, and what grows for
ever grows by a third of the whole time between the two. What has a bound by design, but takes
longer to come to it than a run lasts, is held against that bound instead.
"""

from dataclasses import dataclass
from statistics import median

from tests.endurance.load import PAIRS, TALK_INTERVAL_S

SAMPLES_MIN = 9
MIB = 1024 * 1024
# Messages on their way while all who talk wait for the three seconds after which a client takes a
# silent server for dead: on a busy machine they do so at times.
UNDER_WAY = round(2 * PAIRS * 3.0 / TALK_INTERVAL_S)


@dataclass(frozen=True)
class Rule:
    """How much more the last third may have than the middle one, or the most at any time."""

    share: float = 0.0
    slack: int = 0
    bound: int | None = None


@dataclass(frozen=True)
class Verdict:
    """One measure: the medians of the thirds, the highest sample, and why it is too much."""

    name: str
    thirds: tuple[float, float, float]
    highest: int
    limit: float
    grows: bool


def judge(name: str, samples: list[int], rule: Rule) -> Verdict:
    """ValueError: too few samples to say anything."""
    if len(samples) < SAMPLES_MIN:
        raise ValueError(f"{name}: {len(samples)} samples are too few")
    cut, last = len(samples) // 3, 2 * len(samples) // 3
    thirds = (median(samples[:cut]), median(samples[cut:last]), median(samples[last:]))
    if rule.bound is not None:
        return Verdict(name, thirds, max(samples), rule.bound, max(samples) > rule.bound)
    limit = thirds[1] * (1 + rule.share) + rule.slack
    return Verdict(name, thirds, max(samples), limit, thirds[2] > limit)


def rule_for(name: str, users: int) -> Rule:
    """Everything has to level off; tombstones are kept for longer than a run, but 64 a user."""
    tombstones = 64 * users
    table = name.removeprefix("rows ")
    if table in ("ended", "ended_of", "tombstone"):
        return Rule(bound=tombstones)
    if table == "deadline":
        return Rule(bound=2 * tombstones + 32 * users)  # of tombstones, and of sessions
    if table in ("pending", "stanza", "stanza_refs"):
        return Rule(share=0.1, slack=UNDER_WAY)
    if table != name:
        return Rule(share=0.1, slack=20)
    kind = name.split(" ", 1)[1]
    return {"memory": Rule(share=0.1, slack=2 * MIB),
            "threads": Rule(),
            "files": Rule(share=0.1, slack=5),
            "log bytes": Rule(share=0.1, slack=16 * MIB),  # two segments
            "store bytes": Rule(share=0.1, slack=2 * MIB)}[kind]


def table(verdicts: list[Verdict]) -> str:
    """The report: a row a measure, those that grow marked."""
    lines = [f"{'measure':<22} {'first third':>12} {'middle':>12} {'last':>12} {'highest':>12} "
             f"{'limit':>12}"]
    for one in verdicts:
        lines.append(f"{one.name:<22} " + " ".join(f"{value:>12.0f}" for value in (
            *one.thirds, one.highest, one.limit)) + ("  GROWS" if one.grows else ""))
    return "\n".join(lines)
