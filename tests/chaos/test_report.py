"""The reports say what the judge says, need nothing else, and stay small."""

import random
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path

from tests.chaos.story import WINDOW_S, tell
from tools.trial import history
from tools.trial.history import FaultBegin, FaultEnd, NodeSample, Offline, Online, Run
from tools.trial.judge import COUNTS, Verdict, judge_events
from tools.trial.judge_figures import percentile
from tools.trial.report import judged, text
from tools.trial.report_html import page
from tools.trial.report_timeline import (SERVING, SILENT, STANDING_IN, WAITING, Timeline, bins)

HOURS_S = 7200.0
BYTES_MAX = 2_000_000
PAGE_LINES_MAX = 80
VOID = {"meta"}


class Checker(HTMLParser):
    """Every element is closed; nothing is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.titles += tag == "title"
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It closes itself."""

    def handle_endtag(self, tag: str) -> None:
        """It must be the last one that was opened."""
        assert self.open and self.open.pop() == tag, f"</{tag}> within {self.open}"


class Reports(unittest.TestCase):
    """Of a history with two findings."""

    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.path = Path(self._folder.name) / "history.jsonl"
        events = tell(3, 400).events
        events[0] = Run(0.0, 4711, [1, 2, 3], command="tools/chaos run --seed 4711 <&>",
                        resume_window_s=WINDOW_S)
        end = events[-1].t
        events += [history.FinalSession(end, 1, "<ghost>@a.test/x", "live", 1),
                   NodeSample(end, 1, role="leader", term=3),
                   NodeSample(end, 2, role="leader", term=3)]
        with history.Writer(self.path) as writer:
            for event in events:
                writer.append(event)
        self.verdict, self.timeline = judged(self.path)

    def test_text(self) -> None:
        """The page has every count, the seed, the command, and the lines of each finding."""
        shown = text(self.path, self.verdict)
        self.assertIn("2 findings", shown)
        self.assertIn("seed 4711", shown)
        self.assertIn("tools/chaos run --seed 4711 <&>", shown)
        for name, count in self.verdict.counts.items():
            self.assertRegex(shown, rf"(?m)^{name} +{count} ")
            self.assertEqual(name in ("ghosts", "two leaders"), count == 1)
        self.assertIn('"kind":"final-session"', shown)
        self.assertLess(len(shown.splitlines()), PAGE_LINES_MAX)

    def test_page(self) -> None:
        """It is whole, fetches nothing, and what came from outside is text."""
        shown = page(self.path, self.verdict, self.timeline)
        checker = Checker()
        checker.feed(shown)
        self.assertEqual([], checker.open)
        self.assertEqual([], checker.fetched)
        self.assertNotIn("http:", shown.replace("http://www.w3.org", ""))
        self.assertNotIn("<ghost>", shown)
        self.assertNotIn("<script", shown)
        for word in (*COUNTS, "seed 4711", "node 3", "clients online", "2 findings"):
            self.assertIn(word, shown)

    def test_clean(self) -> None:
        """Without a finding both say so."""
        with history.Writer(self.path) as writer:
            for event in tell(3, 100).events:
                writer.append(event)
        verdict, timeline = judged(self.path)
        self.assertIn(": no promise broken", text(self.path, verdict))
        self.assertIn("no promise broken", page(self.path, verdict, timeline))


class Rows(unittest.TestCase):
    """What the picture is made of."""

    def test_timeline(self) -> None:
        """Faults, leaders and states begin and end when the history says so."""
        timeline = Timeline()
        for event in (Run(0.0, 1, [1, 2]),
                      NodeSample(1.0, 1, True, True, "leader", 1, 4),
                      NodeSample(1.0, 2, True, False, "follower", 1, 4),
                      FaultBegin(2.0, 9, "kill", [1], [1]),
                      NodeSample(3.0, 1, False),
                      NodeSample(4.0, 2, True, True, "leader", 2, 5, state="Running in Backup"),
                      FaultEnd(5.0, 9),
                      Online(6.0, "a", "a@b", "a@b/c", 1, "login", 1, 1),
                      Offline(8.0, "a", 1, 1, "drop"),
                      NodeSample(10.0, 1, True, True, "follower", 2, 5, state="Normal")):
            timeline.on(0, event)
        timeline.finish()
        self.assertEqual([(2.0, 5.0, "kill")],
                         [(span.begin, span.end, span.name) for span in timeline.faults])
        self.assertEqual([(1.0, 3.0, "1"), (4.0, 10.0, "2")],
                         [(span.begin, span.end, span.name) for span in timeline.leaders])
        self.assertEqual([SERVING, SILENT, SERVING], [span.name for span in timeline.states[1]])
        self.assertEqual([WAITING, STANDING_IN], [span.name for span in timeline.states[2]])
        self.assertEqual([0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
                         [one.online for one in bins(timeline, [], 2.0)])

    def test_latencies(self) -> None:
        """Each arrival is in the slice of its time; percentiles are of what is there."""
        timeline = Timeline(end=10.0)
        found = bins(timeline, [(1.0, 0.5), (1.5, 0.1), (9.9, 2.0)], 5.0)
        self.assertEqual([[0.1, 0.5], [2.0], []], [one.latencies_s for one in found])
        self.assertEqual(0.0, percentile([], 99))
        self.assertEqual(3.0, percentile([1.0, 2.0, 3.0], 100))


class TwoHours(unittest.TestCase):
    """A long and busy trial."""

    def verdict(self) -> tuple[Verdict, Timeline]:
        """Five nodes of which one changes its state every two seconds, a thousand faults, many
        messages."""
        chance = random.Random(5)
        timeline = Timeline()
        run = Run(0.0, 1, [1, 2, 3, 4, 5])
        verdict = judge_events([run], timeline)
        t, number = 0.0, 0
        while t < HOURS_S:
            t += 0.5
            node = chance.choice(run.nodes)
            if number % 4 == 0:
                timeline.on(0, NodeSample(
                    t, node, chance.random() < 0.9, chance.random() < 0.8, "leader", node,
                    int(t / 40), state=chance.choice(["Normal", "Failed Over"]),
                    reason="On Automatic Failover"))
            if number % 14 == 0:
                timeline.on(0, FaultBegin(t, number, f"kind{number // 14 % 13}", [node]))
                timeline.on(0, FaultEnd(t + chance.random() * 8, number))
            number += 1
            verdict.latencies += [(t, chance.random() ** 4 * 10) for _ in range(10)]
            timeline.on(0, Online(t, f"c{number % 40}", "a@b", "a@b/c", 1, "login", 1, 1))
        timeline.finish()
        return verdict, timeline

    def test_size(self) -> None:
        """The page stays below its limit, in two pictures."""
        verdict, timeline = self.verdict()
        shown = page(Path("history.jsonl"), verdict, timeline)
        self.assertIn("In detail", shown)
        self.assertLess(len(shown.encode()), BYTES_MAX)


if __name__ == "__main__":
    unittest.main()
