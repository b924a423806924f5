"""The runner: what a program printed and how it ended become counts that cannot lie."""

import sys
import unittest
from pathlib import Path

from tests.runner.__main__ import selected_stages
from tests.runner.process import Finished, run
from tests.runner.program import explain, judge
from tests.runner.stages import STAGES, Options

HERE = Path(__file__).parent


class Judging(unittest.TestCase):
    """TAP lines against exit codes."""

    def _judge(self, code: int, output: str, timed_out: bool = False) -> tuple[int, int]:
        outcome = judge("p", Finished(code, output, timed_out, []))
        return len(outcome.passed), len(outcome.failed)

    def test_counts(self) -> None:
        """Every line counts; a program without lines is one test."""
        self.assertEqual((2, 0), self._judge(0, "1..2\nok 1 - a\nok 2 - b\n"))
        self.assertEqual((1, 1), self._judge(1, "ok 1 - a\nnot ok 2 - b\n"))
        self.assertEqual((1, 0), self._judge(0, "anything"))
        self.assertEqual((0, 1), self._judge(1, "anything"))

    def test_bad_ending(self) -> None:
        """A crash or a hang fails, also when every line so far was ok."""
        self.assertEqual((1, 1), self._judge(-11, "ok 1 - a\n"))
        self.assertEqual((1, 1), self._judge(-9, "ok 1 - a\n", timed_out=True))

    def test_reasons_are_shown(self) -> None:
        """Why an early case failed is shown however much was printed after it."""
        output = "noise\n# boom\n# took 0.1 s\nnot ok 1 - a\n" + 100 * "ok 2 - b\n" + "end\n"
        self.assertEqual(["# boom", "# took 0.1 s", "not ok 1 - a", "end"], explain(output, 1))

    def test_reasons_come_first(self) -> None:
        """Why a case failed stands above the log that was printed before it."""
        output = "log of a node\n# boom\nnot ok 1 - a\n"
        self.assertEqual("# boom", explain(output, 3)[0])

    def test_last_word(self) -> None:
        """What a failed case died of stands behind its name, and behind no other."""
        output = ("# Traceback\n#   File\n# ValueError: boom\nnot ok 1 - a\n"
                  "# OSError: noise\nok 2 - b\nnot ok 3 - c\n")
        outcome = judge("p", Finished(1, output, False, []))
        self.assertEqual(["p: a: ValueError: boom", "p: c"], outcome.failed)

    def test_unfinished_plan(self) -> None:
        """A program that ends well but ran fewer tests than it announced fails."""
        self.assertEqual((1, 1), self._judge(0, "1..2\nok 1 - a\n"))


class Selecting(unittest.TestCase):
    """What --only asks for, and no build that it does not need."""

    def _stages(self, only: str) -> list[str]:
        return [stage.name for stage in selected_stages(only, Options(HERE, False, 1))[0]]

    def test_only(self) -> None:
        """A stage by its name; programs by a part of theirs, in whichever stages they are."""
        self.assertEqual(["build-gcc", "migrate"], self._stages("migrate"))
        self.assertEqual(["build-gcc", "migrate"], self._stages("migrate/test_import"))
        self.assertEqual(["build-gcc", "unit", "build-tsan", "unit-tsan"],
                         self._stages("corpus_entry"))
        self.assertEqual(["build-asan", "fuzz"], self._stages("fuzz_entry"))
        self.assertEqual([], self._stages("no such test"))
        self.assertEqual({stage.name for stage in STAGES if not stage.full}, set(self._stages("")))


class Processes(unittest.TestCase):
    """Programs that misbehave."""

    def test_deadline(self) -> None:
        """A program that hangs is killed at its deadline."""
        done = run([sys.executable, "-c", "import time; time.sleep(60)"], 0.5, HERE, {})
        self.assertTrue(done.timed_out)

    def test_left_behind(self) -> None:
        """A daemon that a program leaves behind is found and ended."""
        daemon = ("import subprocess as s; s.Popen(['sleep', '60'], start_new_session=True, "
                  "stdout=s.DEVNULL, stderr=s.DEVNULL)")
        done = run([sys.executable, "-c", daemon], 20, HERE, {})
        self.assertEqual(1, len(done.left_behind), done)
        self.assertIn("sleep", done.left_behind[0])

    def test_files_left_behind(self) -> None:
        """A program has a TMPDIR of its own; what it leaves there is told and removed."""
        leave = "import tempfile; print(tempfile.mkdtemp(suffix='-left'), end='')"
        done = run([sys.executable, "-c", leave], 20, HERE, {})
        self.assertEqual([Path(done.output).name], done.left_behind)
        self.assertFalse(Path(done.output).parent.exists())
