"""Trials of a cluster: clients use it while one fault after the other hits it, and what they saw is
judged. The same seed and the same nodes give the same faults in the same order."""

import argparse
import asyncio
import itertools
import random
import signal
import sys
from pathlib import Path

from tools.local.layout import FILE, LocalError, load
from tools.trial import ground, report, report_html
from tools.trial.drive import Drive, Outcome, Task
from tools.trial.faults import ALL
from tools.trial.faults.fault import Fault
from tools.trial.record import Record
from tools.trial.schedule import rounds

HISTORY = "history.jsonl"
PAGE = "report.html"
PLANNED = 40   # rounds that --plan shows


def chosen(text: str) -> list[str]:
    """"all", or names with commas between them."""
    names = list(ALL) if text == "all" else text.split(",")
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no fault {', '.join(unknown)}; there are {', '.join(ALL)}")
    return names


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="tools/chaos", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    run_verb = verbs.add_parser(
        "run", help="run one trial and judge it", description="Run one trial and judge it. Faults: "
        + "; ".join(f"{fault.name}: {fault.summary}" for fault in ALL.values()) + ".")
    run_verb.add_argument("--cluster", type=lambda text: Path(text).resolve(), required=True,
                          metavar="DIR", help="of tools/cluster; made when it does not exist. It "
                          "is stopped in the end")
    run_verb.add_argument("--nodes", type=int, default=3, metavar="N",
                          help="of a cluster that is made")
    run_verb.add_argument("--minutes", type=float, default=5.0, metavar="M",
                          help="faults come so long, and until each had its turn")
    run_verb.add_argument("--seed", type=int, metavar="S", help="default: by chance")
    run_verb.add_argument("--faults", type=chosen, default=list(ALL), metavar="LIST",
                          help="names with commas between them, or all")
    run_verb.add_argument("--clients", type=int, default=24, metavar="N")
    run_verb.add_argument("--out", type=lambda text: Path(text).resolve(), metavar="DIR",
                          help="for the history and the report (default: the cluster's folder)")
    run_verb.add_argument("--plan", action="store_true", help="print the schedule, run nothing")
    return top


def usable(names: list[str], folder: Path) -> dict[str, Fault]:
    """The faults, without those that cannot be made here; they are named."""
    has = ground.abilities(folder)
    for name in names:
        if missing := ALL[name].needs - has:
            print(f"tools/chaos: no {name} here: needs "
                  + ", ".join(ground.SOURCES[one] for one in sorted(missing)),
                  file=sys.stderr)
    return {name: ALL[name] for name in names if ALL[name].needs <= has}


def plan(options: argparse.Namespace) -> int:
    """Print the first rounds."""
    ids = ([node.id for node in load(options.cluster).nodes]
           if (options.cluster / FILE).exists() else list(range(1, options.nodes + 1)))
    draws = {name: ALL[name].draw for name in options.faults}
    for one in itertools.islice(rounds(options.seed, ids, draws), PLANNED):
        for blow in one.blows:
            print(f"round {one.number} calm={one.calm_s:.1f}s {'' if one.waits else 'in haste '}"
                  f"{blow}")
    return 0


def run(options: argparse.Namespace) -> Outcome:
    """One trial."""
    out = options.out or options.cluster
    with ground.networked(options.cluster, options.nodes) as network:
        faults = usable(options.faults, options.cluster)
        command = (f"tools/chaos run --cluster {options.cluster} --nodes {options.nodes} "
                   f"--minutes {options.minutes:g} --seed {options.seed} --faults "
                   f"{','.join(faults)} --clients {options.clients}")
        needs = frozenset().union(*(fault.needs for fault in faults.values()))
        out.mkdir(parents=True, exist_ok=True)
        record = Record(out / HISTORY)
        record.say(f"seed {options.seed}")
        try:
            with ground.prepared(options.cluster, record, network, needs,
                                 options.seed) as field:
                task = Task(options.seed, options.minutes, faults, options.clients, command)
                return asyncio.run(Drive(field, task).run())
        finally:
            record.close()


def conclude(out: Path, outcome: Outcome) -> int:
    """Judge what was recorded, and report it: 0 when no promise was broken."""
    verdict, timeline = report.judged(out / HISTORY)
    (out / PAGE).write_text(report_html.page(out / HISTORY, verdict, timeline))
    print(report.text(out / HISTORY, verdict))
    for problem in outcome.broken:
        print(f"broken: {problem}")
    return 0 if verdict.is_clean() and not outcome.broken else 1


def main(words: list[str] | None = None) -> int:
    """0 when no promise was broken, 1 when one was, 2 when nothing could be tried."""
    options = parser().parse_args(words)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(2 ** 32)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the cluster is stopped first
    try:
        if options.plan:
            return plan(options)
        outcome = run(options)
        return conclude(options.out or options.cluster, outcome)
    except LocalError as error:
        print(f"tools/chaos: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("tools/chaos: stopped, and the cluster with it; what was seen so far is in "
              f"{options.out or options.cluster}", file=sys.stderr)
    return 2
