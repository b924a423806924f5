"""The verdict on a trial as one page of text."""

import statistics
from pathlib import Path

from tools.trial import history
from tools.trial.judge import COUNTS, Verdict, judge_events, lines_of
from tools.trial.judge_figures import PERCENTILES, Recovery, percentile
from tools.trial.judge_world import Finding
from tools.trial.report_timeline import Timeline

FINDINGS_MAX = 8          # shown with their lines; all are counted
LINES_MAX = 8             # of one finding
COLUMNS_MAX = 200         # of such a line


def judged(path: Path) -> tuple[Verdict, Timeline]:
    """A history, read once for the verdict and its picture."""
    timeline = Timeline()
    verdict = judge_events(history.read(path), timeline)
    timeline.finish()
    return verdict, timeline


def headline(verdict: Verdict) -> str:
    """The verdict in a few words."""
    broken = len(verdict.findings)
    if broken:
        return f"{broken} finding{'s' if broken > 1 else ''}"
    if not verdict.complete:
        return "the trial did not come to its end"
    if verdict.undecided:
        return f"no promise broken; {len(verdict.undecided)} keys not decided"
    return "no promise broken"


def by_fault(recoveries: list[Recovery]) -> list[tuple[str, int, float, float]]:
    """For each kind of fault: how many, and median and largest time until a message that was sent
    after its begin arrived."""
    kinds: dict[str, list[float]] = {}
    for one in recoveries:
        kinds.setdefault(one.name, []).append(one.first_s)
    return [(name, len(times), statistics.median(times), max(times))
            for name, times in sorted(kinds.items())]


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0095 else f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def text(path: Path, verdict: Verdict) -> str:
    """The page."""
    run = verdict.world.run
    lines = [
        f"{len(run.nodes)} nodes, {duration(verdict.world.end)}, seed {run.seed}, musterd "
        f"{run.version or '?'}: {headline(verdict)}"]
    if run.command:
        lines.append(f"repeat: {run.command}")
    lines.append("")
    for name, count in verdict.counts.items():
        what, promise = COUNTS[name]
        lines.append(f"{name:<17} {count:>6}  {what} ({promise})")
    if verdict.undecided:
        lines.append(f"{'not decided':<17} {len(verdict.undecided):>6}  keys: too many orders to "
                     "try")
    lines += ["", *_load(verdict), "", *_recovery(verdict)]
    for finding in verdict.findings[:FINDINGS_MAX]:
        lines += ["", *_finding(path, finding)]
    if len(verdict.findings) > FINDINGS_MAX:
        lines += ["", f"and {len(verdict.findings) - FINDINGS_MAX} more"]
    return "\n".join(lines) + "\n"


def _load(verdict: Verdict) -> list[str]:
    figures = verdict.figures
    times = ", ".join(f"{percent:g} % {duration(percentile(verdict.latencies_s, percent))}"
                      for percent in PERCENTILES)
    away = sum(figures.offline_s.values())
    longest = max(figures.longest_s.items(), key=lambda item: item[1], default=("nobody", 0.0))
    told = [f"{what}: {count}" for what, count in verdict.told.items() if count]
    return [
        f"messages: {figures.sent} sent, {figures.acked} acknowledged, {figures.got} arrivals",
        f"under way: {times}",
        f"clients: {len(verdict.world.devices)}, {figures.logins} logins, {figures.resumes} "
        f"resumes; against their will offline {duration(away)} in sum, {longest[0]} once for "
        f"{duration(longest[1])}",
        *told]


def _recovery(verdict: Verdict) -> list[str]:
    rows = [f"{'fault':<17} {'times':>6}  first message sent since its begin: median, longest"]
    rows += [f"{name:<17} {count:>6}  {duration(median)}, {duration(longest)}"
             for name, count, median, longest in by_fault(verdict.figures.recoveries)]
    rows += [f"{fault.name:<17} {'':>6}  none arrived after that of {fault.t:.1f} s"
             for fault in verdict.figures.waiting]
    return rows


def _finding(path: Path, finding: Finding) -> list[str]:
    shown = lines_of(path, finding.lines[-LINES_MAX:])
    return [f"{finding.count} at {finding.t:.3f} s: {finding.text}"] + [
        f"  {path.name}:{number}: {line[:COLUMNS_MAX]}" for number, line in sorted(shown.items())]
