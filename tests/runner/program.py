"""A test program, the cases inside it, and the judgement of what it printed."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.runner import process

TAP_PLAN = re.compile(r"^1\.\.(\d+)$", re.MULTILINE)
TAP_LINE = re.compile(r"^(ok|not ok)\b(?:\s+\d+)?\s*(?:-\s*)?(.*?)\s*$")

# The end of a traceback: an exception and what it says.
LAST_WORD = re.compile(r"^# \w[\w.]*(Error|Exception|Timeout|Failure)\b")
WORD_LENGTH_MAX = 400


@dataclass
class Case:
    """One test and, in one line, what it is for."""

    name: str
    goal: str


@dataclass
class Program:
    """One command; it is a test itself unless it reports its cases as TAP lines."""

    name: str
    goal: str
    command: list[str]
    timeout_s: float
    cwd: Path
    cases: list[Case] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of a program: names of its cases and the text to show for a failure."""

    passed: list[str]
    failed: list[str]
    output: str
    complaint: str


def run_program(program: Program) -> Outcome:
    """Run a program and count its TAP lines; one without any counts as a single test."""
    env = {"CMOCKA_MESSAGE_OUTPUT": "TAP", **program.env}
    finished = process.run(program.command, program.timeout_s, program.cwd, env)
    return judge(program.name, finished)


def judge(name: str, finished: process.Finished) -> Outcome:
    """A failing program fails at least one test, whatever its lines say."""
    passed, failed = parse_tap(name, finished.output)
    complaint = ""
    if finished.timed_out:
        complaint = "ran out of time and was killed"
    elif finished.left_behind:
        complaint = "left behind: " + ", ".join(finished.left_behind)
    elif finished.code != 0 and not failed:
        complaint = f"ended with {finished.code}"
    elif len(passed) + len(failed) < sum(map(int, TAP_PLAN.findall(finished.output))):
        complaint = "ran fewer tests than it announced"
    if complaint:
        failed.append(f"{name} ({complaint})")
    elif finished.code == 0 and not passed and not failed:
        passed.append(name)
    return Outcome(passed, failed, finished.output, complaint)


def reasons(output: str) -> list[str]:
    """Why cases failed: the comments above their lines."""
    lines = output.splitlines()
    wanted: list[str] = []
    for end, line in enumerate(lines):
        if line.startswith("not ok"):
            begin = end
            while begin > 0 and lines[begin - 1].startswith("# "):
                begin -= 1
            wanted.extend(lines[begin:end + 1])
    return wanted


def explain(output: str, tail_lines: int) -> list[str]:
    """Why cases failed, and then the end of what was printed."""
    return reasons(output) + output.splitlines()[-tail_lines:]


def parse_tap(name: str, output: str) -> tuple[list[str], list[str]]:
    """The names of passed and failed cases, each led by the program's name; failed ones with the
    last word on why."""
    passed: list[str] = []
    failed: list[str] = []
    word = ""
    for line in output.splitlines():
        match = TAP_LINE.match(line)
        if match is None:
            word = line[2:] if LAST_WORD.match(line) else word
        elif match.group(1) == "ok":
            passed.append(f"{name}: {match.group(2)}")
            word = ""
        else:
            why = f": {word[:WORD_LENGTH_MAX]}" if word else ""
            failed.append(f"{name}: {match.group(2)}{why}")
            word = ""
    return passed, failed
