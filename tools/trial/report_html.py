"""The verdict on a trial as one HTML file that needs nothing else: no network, no script."""

from html import escape
from pathlib import Path

from tools.trial.judge import COUNTS, Verdict, lines_of
from tools.trial.judge_figures import PERCENTILES, percentile
from tools.trial.report import by_fault, duration, headline
from tools.trial.report_svg import STATES, Picture
from tools.trial.report_timeline import Timeline

PAGE_PX = 1160.0
DETAIL_PX_PER_S = 0.9     # a longer trial gets a second picture that can be scrolled
DETAIL_PX_MAX = 6_480.0
FINDINGS_MAX = 50
LINES_MAX = 16
COLUMNS_MAX = 300

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #f4f6f7; color: #24313a;
  font: 15px/1.5 "Inter", "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1208px; margin: 0 auto; padding: 28px 24px 56px; }
h1 { font-size: 25px; font-weight: 650; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 16px; font-weight: 650; margin: 0 0 12px; }
p { margin: 6px 0; } .faint { color: #5d6c77; }
code, .mono { font: 12.5px/1.5 "JetBrains Mono", "DejaVu Sans Mono", Menlo, monospace; }
pre { margin: 10px 0 0; padding: 10px 14px; background: #f4f6f7; border-radius: 7px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
section { background: #fff; border: 1px solid #e3e8eb; border-radius: 12px; padding: 20px 22px;
  margin-top: 18px; }
.verdict { display: inline-block; margin-top: 10px; padding: 5px 14px; border-radius: 999px;
  font-weight: 650; }
.good { background: #d9efe6; color: #00573f; } .bad { background: #fbe3d2; color: #8c3a00; }
.unsure { background: #fdf0d0; color: #6d4c00; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 14px;
  margin-top: 18px; }
.card { background: #fff; border: 1px solid #e3e8eb; border-radius: 12px; padding: 13px 17px; }
.card b { display: block; font-size: 22px; font-weight: 650; letter-spacing: -.01em; }
.card span { color: #5d6c77; font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: #5d6c77; font-size: 13px; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid #eef1f3; vertical-align: top; }
td.number, th.number { text-align: right; padding-right: 22px; }
tr.broken td { color: #8c3a00; font-weight: 650; } td.ok { color: #00734f; }
.two { display: grid; grid-template-columns: 3fr 2fr; gap: 18px; align-items: start; }
.two section { min-width: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 10px; font-size: 13px;
  color: #5d6c77; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
  margin-right: 6px; vertical-align: -1px; }
.scroll { overflow-x: auto; }
details { border-top: 1px solid #eef1f3; padding: 9px 0; } summary { cursor: pointer; }
summary b { color: #8c3a00; }
svg { display: block; }
svg text { font: 11px "Inter", "Segoe UI", Arial, sans-serif; fill: #24313a; }
svg text.label { font-size: 12px; }
svg text.value { text-anchor: end; font-size: 10px; fill: #6b7a85; }
svg text.axis { text-anchor: middle; fill: #6b7a85; }
svg text.inside { fill: #fff; font-size: 10.5px; font-weight: 600; pointer-events: none; }
svg .rule { stroke: #e3e8eb; } svg .tick { stroke: #eef1f3; } svg .hover { fill: transparent; }
svg .hover path:hover { fill: #24313a; fill-opacity: .08; }
svg .phase { stroke: #24313a; stroke-dasharray: 2 3; stroke-opacity: .45; }
svg .line { fill: none; stroke-width: 1.3; }
svg .least { fill: none; stroke-width: .8; stroke-opacity: .55; }
svg .spread { stroke: #e69f00; stroke-opacity: .55; stroke-width: 2.2; }
svg .median { stroke: #8a4b00; stroke-width: 2; }
@media (max-width: 900px) { .two { grid-template-columns: 1fr; } }
"""


def page(path: Path, verdict: Verdict, timeline: Timeline) -> str:
    """The whole file."""
    run = verdict.world.run
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Trial, seed {run.seed}: {escape(headline(verdict))}</title>",
        f"<style>{STYLE}</style></head><body><main>", _head(verdict), _cards(verdict),
        _pictures(verdict, timeline), _findings(path, verdict), "<div class='two'>",
        _counts(verdict), "<div>", _faults(verdict), _told(verdict), "</div></div>",
        "</main></body></html>\n"]
    return "".join(parts)


def _head(verdict: Verdict) -> str:
    run = verdict.world.run
    kind = ("bad" if verdict.findings else "good" if verdict.is_clean() else "unsure")
    repeat = f"<pre><code>{escape(run.command)}</code></pre>" if run.command else ""
    facts = [duration(verdict.world.end), f"seed {run.seed}", f"musterd {run.version or '?'}",
             f"{len(verdict.world.faults)} faults of {len(_kinds(verdict))} kinds",
             f"{len(verdict.world.devices)} clients"]
    return (f"<h1>A trial of {len(run.nodes)} nodes</h1><p class='faint'>"
            f"{escape(', '.join(facts))}</p>"
            f"<span class='verdict {kind}'>{escape(headline(verdict))}</span>"
            f"<section><h2>Repeat it</h2>{repeat}</section>")


def _kinds(verdict: Verdict) -> set[str]:
    return {fault.begin.name for fault in verdict.world.faults.values()}


def _cards(verdict: Verdict) -> str:
    figures = verdict.figures
    times = {percent: duration(percentile(verdict.latencies_s, percent)) for percent in PERCENTILES}
    cards = [
        (f"{figures.acked:,}", f"messages acknowledged of {figures.sent:,}"),
        (f"{figures.got:,}", "arrivals at devices"),
        (times[50], "a message was under way, median"),
        (times[99], f"99 %; the longest {times[100]}"),
        (f"{figures.resumes:,}", f"sessions resumed; {figures.logins:,} logins"),
        (f"{verdict.told['operations searched']:,}",
         f"operations on {verdict.told['keys searched']} keys searched"),
    ]
    return "<div class='cards'>" + "".join(
        f"<div class='card'><b>{escape(number)}</b><span>{escape(what)}</span></div>"
        for number, what in cards) + "</div>"


def _legend() -> str:
    return "<div class='legend'><span>nodes:</span>" + "".join(
        f"<span><i style='background:{color}'></i>{escape(name)}</span>"
        for name, color in STATES.items()) + "</div>"


def _pictures(verdict: Verdict, timeline: Timeline) -> str:
    """The whole on a page; a long trial once more, to be scrolled."""
    whole = Picture(verdict, timeline, PAGE_PX).draw()
    parts = [f"<section><h2>What happened</h2>{_legend()}<div class='scroll'>{whole}</div>"
             "<p class='faint'>The pointer on a mark shows what it is. Dotted lines: load, heal, "
             "quiet and end begin. Under way: median and longest of what arrived in a slice."
             "</p></section>"]
    width = min(timeline.end * DETAIL_PX_PER_S, DETAIL_PX_MAX)
    if width > 1.5 * PAGE_PX:
        detail = Picture(verdict, timeline, width).draw()
        parts.append(f"<section><h2>In detail</h2><div class='scroll'>{detail}</div></section>")
    return "".join(parts)


def _counts(verdict: Verdict) -> str:
    rows = []
    for name, count in verdict.counts.items():
        what, promise = COUNTS[name]
        kind, mark = (" class='broken'", "&#10007;") if count else ("", "&#10003;")
        rows.append(f"<tr{kind}><td class='{'' if count else 'ok'}'>{mark}</td><td>{escape(name)}"
                    f"</td><td class='number'>{count}</td><td>{escape(what)}</td>"
                    f"<td>{promise}</td></tr>")
    undecided = len(verdict.undecided)
    rows.append(f"<tr><td>{'?' if undecided else ''}</td><td>not decided</td>"
                f"<td class='number'>{undecided}</td><td>keys with too many orders to try</td>"
                "<td></td></tr>")
    return ("<section><h2>Promises</h2><table><tr><th></th><th>count</th>"
            "<th class='number'></th><th>what</th><th></th></tr>" + "".join(rows)
            + "</table></section>")


def _faults(verdict: Verdict) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class='number'>{count}</td><td class='number'>"
        f"{duration(median)}</td><td class='number'>{duration(longest)}</td></tr>"
        for name, count, median, longest in by_fault(verdict.figures.recoveries))
    return ("<section><h2>From a fault to the first message through</h2><table><tr><th>fault</th>"
            "<th class='number'>times</th><th class='number'>median</th>"
            f"<th class='number'>longest</th></tr>{rows}</table><p class='faint'>Until a message "
            "arrived, anywhere, that was sent after the fault began.</p></section>")


def _told(verdict: Verdict) -> str:
    longest = verdict.figures.longest_s
    rows = [(what, str(count)) for what, count in verdict.told.items()]
    if longest:
        client = max(longest, key=lambda name: longest[name])
        rows.append((f"longest time offline against a client's will ({client})",
                     duration(longest[client])))
    return "<section><h2>Also</h2><table>" + "".join(
        f"<tr><td>{escape(what)}</td><td class='number'>{value}</td></tr>"
        for what, value in rows) + "</table></section>"


def _findings(path: Path, verdict: Verdict) -> str:
    if not verdict.findings:
        return ""
    shown = verdict.findings[:FINDINGS_MAX]
    lines = lines_of(path, [line for finding in shown for line in finding.lines[-LINES_MAX:]])
    parts = []
    for finding in shown:
        evidence = "\n".join(f"{number}: {lines[number][:COLUMNS_MAX]}"
                             for number in sorted(finding.lines[-LINES_MAX:]) if number in lines)
        parts.append(f"<details><summary><b>{escape(finding.count)}</b> at {finding.t:.3f} s: "
                     f"{escape(finding.text)}</summary><pre><code>{escape(evidence)}</code></pre>"
                     "</details>")
    more = len(verdict.findings) - len(shown)
    rest = f"<p class='faint'>and {more} more</p>" if more else ""
    return (f"<section><h2>Findings</h2><p class='faint'>With their lines of {escape(path.name)}."
            f"</p>{''.join(parts)}{rest}</section>")
