"""soak - a cluster under steady load, and whether all that it takes levels off.

Usage: tests/soak [--minutes M] [--nodes N] [--seed S] [--launcher COMMAND] [--samples FILE]
Exit status: 0 all levels off and nothing was lost; 1 something grows, or was lost.
"""

import argparse
import asyncio
import csv
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.endurance import level, samples
from tests.endurance.load import Load
from tests.lib.cluster import TestCluster
from tests.lib.recorder import Judgement

SAMPLES = 60                  # a run, at least
INTERVAL_MAX_S = 30.0
LIMITS = ["--limit", "log_entries=1000"]


@dataclass
class Outcome:
    """What a run has shown."""

    series: dict[str, list[int]]
    verdicts: list[level.Verdict]
    judgement: Judgement
    rounds: dict[str, int]

    @property
    def growing(self) -> list[str]:
        """The measures that did not level off."""
        return [verdict.name for verdict in self.verdicts if verdict.grows]

    def __str__(self) -> str:
        return "\n".join([level.table(self.verdicts), f"chats: {self.judgement}",
                          f"rounds: {self.rounds}"])


async def soak(minutes: float, nodes: int, seed: int, launcher: str = "",
               make_load: type[Load] = Load) -> Outcome:
    """One run. launcher stands in front of musterd, as "env LD_PRELOAD=...". The log is cut every
    thousand entries, so that it levels off soon."""
    cluster = TestCluster("--nodes", str(nodes), *LIMITS, launcher=launcher)
    try:
        load = make_load(cluster, random.Random(seed))
        await load.begin()
        series = await _run(load, minutes * 60)
        judgement = await load.end()
    except BaseException:
        cluster.show_logs()
        raise
    finally:
        cluster.close()
    verdicts = [level.judge(name, values, level.rule_for(name, load.users))
                for name, values in series.items()]
    return Outcome(series, verdicts, judgement, load.rounds)


async def _run(load: Load, duration_s: float) -> dict[str, list[int]]:
    """Sample at a steady pace for as long as the load runs."""
    series: dict[str, list[int]] = {}
    interval_s = min(duration_s / SAMPLES, INTERVAL_MAX_S)
    running = asyncio.ensure_future(load.run(duration_s))
    next_at = time.monotonic()
    while not running.done():
        for name, value in (await asyncio.to_thread(samples.take, load.cluster)).items():
            series.setdefault(name, []).append(value)
        next_at = max(next_at + interval_s, time.monotonic())
        await asyncio.wait([running], timeout=next_at - time.monotonic())
    running.result()
    return series


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2 ** 32))
    parser.add_argument("--launcher", default="", help="what stands in front of musterd")
    parser.add_argument("--samples", type=Path, help="write all samples there, as CSV")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    outcome = asyncio.run(soak(options.minutes, options.nodes, options.seed, options.launcher))
    if options.samples is not None:
        with options.samples.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(outcome.series)
            writer.writerows(zip(*outcome.series.values()))
    print(outcome)
    print(f"grows: {', '.join(outcome.growing) or 'nothing'}; "
          f"faults: {outcome.judgement.faults()}")
    return 1 if outcome.growing or outcome.judgement.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
