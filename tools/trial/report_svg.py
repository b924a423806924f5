"""The picture of a trial: rows over one time axis, as SVG.

Colours are those of Okabe and Ito, which the colour-blind can tell apart; what they say stands in
the legend and in the title of each mark, too. The time axis is cut into slices, so that two hours
are no larger than the picture.
"""

import math
from collections.abc import Iterator
from html import escape

from tools.trial.judge import Verdict
from tools.trial.judge_figures import percentile
from tools.trial.report import duration
from tools.trial.report_timeline import (SERVING, SILENT, STANDING_IN, WAITING, Bin, Span, Timeline,
                                         bins)

PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#7a5c99",
           "#5f7f8f"]
DARK = {"#0072b2", "#009e73", "#d55e00", "#7a5c99", "#5f7f8f"}   # white letters stand on these
STATES = {SERVING: "#bfe3d5", STANDING_IN: "#8cc6ea", WAITING: "#f0b64d", SILENT: "#4a5157"}
BADNESS = [SERVING, STANDING_IN, WAITING, SILENT]
ALARM = "#d55e00"
LABEL_PX = 150.0
SLICE_PX = 5.0
FINDINGS_MAX = 500        # marks
MARK_PX_MIN = 2.0
FAULT_PX, FAULT_GAP_PX = 11.0, 5.0
STATE_PX, CHART_PX, ROW_GAP_PX = 17.0, 74.0, 16.0
LATENCY_MS_MIN, LATENCY_MS_MAX = 1.0, 100_000.0
TICKS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 3600)
TICK_PX_MIN = 70.0


def clock(seconds: float) -> str:
    """A moment of the trial."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def node_colors(timeline: Timeline) -> dict[str, str]:
    """One for each node."""
    return {str(node): PALETTE[place % len(PALETTE)] for place, node in enumerate(timeline.nodes)}


class Picture:
    """Draws the rows from the top to the bottom."""

    def __init__(self, verdict: Verdict, timeline: Timeline, width_px: float) -> None:
        self.verdict = verdict
        self.timeline = timeline
        self.width = width_px
        self.seconds = max(timeline.end, 1.0)
        self.scale = (width_px - LABEL_PX - 8) / self.seconds
        self.bins = bins(timeline, verdict.latencies, SLICE_PX / self.scale)
        self.y = 8.0
        self.parts: list[str] = []

    # ------------------------------------------------------------ small things

    def x(self, t: float) -> float:
        """Where a moment is."""
        return LABEL_PX + min(t, self.seconds) * self.scale

    def bar(self, span: Span, y: float, height: float, color: str, title: str) -> None:
        """Something that lasted."""
        begin = self.x(span.begin)
        width = max(MARK_PX_MIN, self.x(span.end) - begin)
        self.parts.append(
            f'<rect x="{begin:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" '
            f'fill="{color}"><title>{escape(title)}</title></rect>')

    def word(self, x: float, y: float, text: str, kind: str = "") -> None:
        """A word in the picture."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{f" class={kind!r}" if kind else ""}>'
                          f"{escape(text)}</text>")

    def label(self, text: str, y: float) -> None:
        """What a row is."""
        self.word(0, y, text, "label")

    def title_of(self, span: Span, what: str) -> str:
        """What stands beside the pointer."""
        return (f"{what}{', ' if span.detail else ''}{span.detail}\n{clock(span.begin)} to "
                f"{clock(span.end)}, {duration(span.end - span.begin)}")

    # ------------------------------------------------------------ rows

    def faults(self) -> None:
        """A row for each kind."""
        kinds = sorted({fault.name for fault in self.timeline.faults})
        for place, kind in enumerate(kinds):
            self.label(kind, self.y + 9)
            self.rule(self.y + FAULT_PX / 2)
            for fault in self.timeline.faults:
                if fault.name == kind:
                    self.bar(fault, self.y, FAULT_PX, PALETTE[place % len(PALETTE)],
                             self.title_of(fault, kind))
            self.y += FAULT_PX + FAULT_GAP_PX
        self.y += ROW_GAP_PX

    def leaders(self) -> None:
        """Who leads, and since which term."""
        colors = node_colors(self.timeline)
        self.label("leader", self.y + 12)
        for span in self.timeline.leaders:
            self.bar(span, self.y, STATE_PX, colors[span.name],
                     self.title_of(span, f"node {span.name} leads"))
            if self.x(span.end) - self.x(span.begin) > 10:
                self.word(self.x(span.begin) + 3, self.y + 12.5, span.name,
                          "inside" if colors[span.name] in DARK else "")
        self.y += STATE_PX + 8

    def states(self) -> None:
        """What each node says of itself."""
        for node in self.timeline.nodes:
            self.label(f"node {node}", self.y + 12)
            spans = self.timeline.states.get(node, [])
            if spans:
                known = Span(spans[0].begin, spans[-1].end, SERVING)
                self.bar(known, self.y, STATE_PX, STATES[SERVING], f"node {node}: {SERVING}")
            far, worst = 0.0, 0  # what is drawn: nothing that is no worse is drawn upon it
            for span in spans:
                bad = BADNESS.index(span.name)
                begin, end = self.x(span.begin), self.x(span.end)
                if bad > 0 and (begin >= far or bad > worst or end > far + MARK_PX_MIN):
                    self.bar(span, self.y, STATE_PX, STATES[span.name],
                             self.title_of(span, f"node {node}: {span.name}"))
                    far, worst = max(begin + MARK_PX_MIN, end), bad
            self.y += STATE_PX + 4
        self.y += ROW_GAP_PX - 4

    def online(self) -> None:
        """How many clients have a connection: on average, and the least in each slice."""
        most = max(1, self.timeline.clients)
        base = self.y + CHART_PX

        def at(count: float) -> float:
            return base - count / most * CHART_PX

        self.label("clients online", self.y + 11)
        for count in (0, most):
            self.rule(at(count), str(count))
        self.area([(one.begin, at(one.online)) for one in self.bins], base, "#bcdcf0")
        self.line([(one.begin, at(one.online)) for one in self.bins], "#0072b2")
        self.line([(one.begin, at(one.online_min)) for one in self.bins], "#0072b2", "least")
        self.y = base + ROW_GAP_PX

    def rates(self) -> None:
        """Messages that arrived, a second."""
        width_s = SLICE_PX / self.scale
        most = max(1.0, max((len(one.latencies_s) for one in self.bins), default=0) / width_s)
        base = self.y + CHART_PX / 2
        self.label("arrivals a second", self.y + 11)
        self.rule(base, "0")
        self.rule(self.y, f"{most:.0f}" if most >= 10 else f"{most:.1f}")
        points = [(one.begin, base - len(one.latencies_s) / width_s / most * CHART_PX / 2)
                  for one in self.bins]
        self.area(points, base, "#c9e6db")
        self.line(points, "#009e73")
        self.y = base + ROW_GAP_PX

    def latency(self) -> None:
        """How long messages were under way, by the slice in which they arrived."""
        base = self.y + 1.5 * CHART_PX
        span = math.log10(LATENCY_MS_MAX / LATENCY_MS_MIN)

        def at(seconds: float) -> float:
            milliseconds = min(max(seconds * 1000, LATENCY_MS_MIN), LATENCY_MS_MAX)
            return base - math.log10(milliseconds / LATENCY_MS_MIN) / span * 1.5 * CHART_PX

        self.label("under way", self.y + 11)
        for seconds, name in ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1, "1 s"),
                              (10, "10 s"), (100, "100 s")):
            self.rule(at(seconds), name)
        spreads, medians = [], []
        for one in self.bins:
            if one.latencies_s:
                x = self.x(one.begin + SLICE_PX / self.scale / 2)
                high, low = at(one.latencies_s[-1]), at(percentile(one.latencies_s, 50))
                spreads.append(f"M{x:.1f} {high:.1f}V{low + 1:.1f}")
                medians.append(f"M{x - 2:.1f} {low:.1f}h4")
        self.parts.append(f'<path d="{"".join(spreads)}" class="spread"/>'
                          f'<path d="{"".join(medians)}" class="median"/>')
        self.y = base + ROW_GAP_PX

    def findings(self) -> None:
        """Where a promise was broken."""
        if not self.verdict.findings:
            return
        self.label("findings", self.y + 10)
        for finding in self.verdict.findings[:FINDINGS_MAX]:
            x, y = self.x(finding.t), self.y + 6
            self.parts.append(
                f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z" fill="{ALARM}"><title>'
                f"{escape(f'{finding.count} at {clock(finding.t)}')}\n{escape(finding.text)}"
                "</title></path>")
        self.y += 12 + ROW_GAP_PX

    # ------------------------------------------------------------ parts of charts

    def rule(self, y: float, name: str = "") -> None:
        """A line across, and its value."""
        self.parts.append(f'<path d="M{LABEL_PX:.0f} {y:.1f}H{self.width - 8:.0f}" class="rule"/>')
        if name:
            self.word(LABEL_PX - 5, y + 3.5, name, "value")

    def _points(self, points: list[tuple[float, float]]) -> str:
        """A line of steps."""
        return "".join(f"L{self.x(t):.1f} {y:.1f}H{self.x(t) + SLICE_PX:.1f}" for t, y in points)

    def line(self, points: list[tuple[float, float]], color: str, kind: str = "line") -> None:
        """A curve."""
        path = "M" + self._points(points)[1:]
        self.parts.append(f'<path d="{path}" stroke="{color}" class="{kind}"/>')

    def area(self, points: list[tuple[float, float]], base: float, color: str) -> None:
        """What is below a curve."""
        path = f"M{self.x(0):.1f} {base:.1f}{self._points(points)}V{base:.1f}Z"
        self.parts.append(f'<path d="{path}" fill="{color}"/>')

    def hover(self, top: float, bottom: float) -> None:
        """Invisible columns over the charts that say what is there."""
        self.parts.append('<g class="hover">')
        for one in self.bins:
            x = self.x(one.begin)
            what = [clock(one.begin), f"{one.online:.1f} of {self.timeline.clients} clients "
                    f"online, at least {one.online_min}", _arrivals(one)]
            self.parts.append(f'<path d="M{x:.1f} {top:.0f}h{SLICE_PX:.0f}V{bottom:.0f}'
                              f'h-{SLICE_PX:.0f}z"><title>' + "\n".join(what) + "</title></path>")
        self.parts.append("</g>")

    # ------------------------------------------------------------ the whole

    def ticks(self) -> Iterator[float]:
        """Moments that are marked on the axis."""
        step = next((step for step in TICKS_S if step * self.scale >= TICK_PX_MIN), TICKS_S[-1])
        return (float(t) for t in range(0, int(self.seconds) + 1, step))

    def frame(self) -> list[str]:
        """What lies below everything: the time axis, and the phases."""
        parts = []
        for t in self.ticks():
            x = self.x(t)
            parts.append(f'<path d="M{x:.1f} 4V{self.y:.1f}" class="tick"/>'
                         f'<text x="{x:.1f}" y="{self.y + 13:.1f}" class="axis">{clock(t)}</text>')
        for t, name in self.timeline.phases:
            x = self.x(t)
            parts.append(f'<path d="M{x:.1f} 2V{self.y:.1f}" class="phase"><title>'
                         f"{escape(name)}: from {clock(t)}</title></path>")
        return parts

    def draw(self) -> str:
        """The picture."""
        self.faults()
        self.leaders()
        self.states()
        top = self.y
        self.online()
        self.rates()
        self.latency()
        self.hover(top, self.y - ROW_GAP_PX)
        self.findings()
        height = self.y + 22
        return (f'<svg viewBox="0 0 {self.width:.0f} {height:.0f}" width="{self.width:.0f}" '
                f'height="{height:.0f}" role="img" aria-label="the course of the trial">'
                + "".join(self.frame() + self.parts) + "</svg>")


def _arrivals(one: Bin) -> str:
    if not one.latencies_s:
        return "no arrival"
    return (f"{len(one.latencies_s)} arrivals, under way {duration(one.latencies_s[0])} to "
            f"{duration(one.latencies_s[-1])}, median "
            f"{duration(percentile(one.latencies_s, 50))}")
