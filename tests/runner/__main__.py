"""Run the stages, print what each took against its budget, end with "N passed, N failed"."""

import argparse
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.runner import process
from tests.runner.program import Outcome, Program, explain, run_program
from tests.runner.stages import (ROOT, STAGES, Options, Stage, default_jobs, listed_programs)

TAIL_LINES_SHOWN = 60


def show_list(options: Options) -> None:
    """Every stage, program and test with its goal."""
    for stage in STAGES:
        extra = ", only with --full" if stage.full else ""
        print(f"{stage.name}: {stage.goal} (budget {stage.budget_s} s{extra})")
        for program in listed_programs(stage, options):
            print(f"  {program.name}{': ' + program.goal if program.goal else ''}")
            for case in program.cases:
                print(f"    {case.name}: {case.goal}")


def selected_stages(only: str, options: Options) -> tuple[list[Stage], set[str]]:
    """The stages to run in order, and the names of those that are there only as a need. Where no
    program is wanted, nothing is built."""
    by_name = {stage.name: stage for stage in STAGES}
    if only in by_name:
        wanted = {only}
    else:
        wanted = {stage.name for stage in STAGES if options.full or not stage.full}
        if only:
            wanted = {name for name in wanted if not name.startswith("build-")
                      and any(only in program.name
                              for program in listed_programs(by_name[name], options))}
    needs = {need for name in wanted for need in by_name[name].needs} - wanted
    return [stage for stage in STAGES if stage.name in wanted | needs], needs


def run_stage(stage: Stage, programs: list[Program], jobs: int) -> list[Outcome]:
    """Run the programs of a stage, several at a time where they do not disturb each other."""
    with ThreadPoolExecutor(max_workers=jobs if stage.parallel else 1) as pool:
        outcomes = []
        for program, outcome in zip(programs, pool.map(run_program, programs)):
            for name in outcome.passed:
                print(f"  ok      {name}")
            for name in outcome.failed:
                print(f"  FAILED  {name}")
            if outcome.failed:
                shown = explain(outcome.output, TAIL_LINES_SHOWN)
                print("\n".join(f"    | {line}" for line in shown))
                print(f"    to repeat: tests/run --only {program.name}", flush=True)
            outcomes.append(outcome)
        return outcomes


def run_stages(options: Options, only: str) -> tuple[int, int]:
    """Run what is selected; a stage whose need failed fails without being run."""
    passed = 0
    broken: set[str] = set()
    stages, needs = selected_stages(only, options)
    summary = []
    failures: list[str] = []
    for stage in stages:
        started = time.monotonic()
        print(f"== {stage.name}: {stage.goal} (budget {stage.budget_s} s)", flush=True)
        if broken & set(stage.needs):
            print(f"  FAILED  {stage.name}: {', '.join(broken & set(stage.needs))} failed")
            failures.append(stage.name)
            continue
        programs = stage.programs(options)
        if only and only != stage.name and stage.name not in needs:
            programs = [program for program in programs if only in program.name]
        outcomes = run_stage(stage, programs, options.jobs)
        if any(outcome.failed for outcome in outcomes):
            broken.add(stage.name)
        passed += sum(len(outcome.passed) for outcome in outcomes)
        failures += [name for outcome in outcomes for name in outcome.failed]
        took = time.monotonic() - started
        verdict = "OVER BUDGET" if took > stage.budget_s else ""
        summary.append(f"{stage.name:14} {took:7.1f} s of {stage.budget_s:5} s  {verdict}")
    print("\n".join(["", *summary, *(f"FAILED: {name}" for name in failures)]))
    return passed, len(failures)


def stop_on_signal(signum: int, _frame: object) -> None:
    """Told to stop: take the programs along."""
    process.kill_all()
    print(f"stopped by {signal.Signals(signum).name}", flush=True)
    raise SystemExit(128 + signum)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show all tests with their goals")
    parser.add_argument("--only", default="", metavar="NAME",
                        help="one stage by its name, or the programs whose name contains NAME")
    parser.add_argument("--full", action="store_true", help="also what is too long for CI")
    parser.add_argument("--build-root", type=Path, default=ROOT / "build",
                        help="where the builds go (default: build/)")
    parser.add_argument("--jobs", type=int, default=default_jobs())
    arguments = parser.parse_args()
    options = Options(arguments.build_root.resolve(), arguments.full, arguments.jobs)
    if arguments.list:
        show_list(options)
        return 0
    signal.signal(signal.SIGTERM, stop_on_signal)
    signal.signal(signal.SIGINT, stop_on_signal)
    started = time.monotonic()
    passed, failed = run_stages(options, arguments.only)
    if passed + failed == 0:
        print(f"no test is named {arguments.only}")
        failed = 1
    print(f"took {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
