"""Run the unittest classes of some files and report in TAP, one line a test.

Usage: python3 -m tests.lib.tap FILE [--only SUBSTRING]
"""

import argparse
import importlib
import sys
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class TapResult(unittest.TestResult):
    """Prints a TAP line when a test ends, and why it failed as comment lines."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.started_at = time.monotonic()

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 (unittest's name)
        super().startTest(test)
        self.started_at = time.monotonic()

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addSuccess(test)
        self._line("ok", test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        """A skipped test was not run: it must not count as passed."""
        super().addSkip(test, reason)
        self._line("not ok", test, f"skipped: {reason}")

    def addFailure(self, test: unittest.TestCase, err) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._line("not ok", test, self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err) -> None:  # noqa: N802
        super().addError(test, err)
        self._line("not ok", test, self.errors[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase,  # noqa: N802
                   err) -> None:
        """A subtest speaks only when it fails; unittest then reports no success of the test."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            bad = self.failures + self.errors
            self._line("not ok", test, f"{subtest}\n{bad[-1][1] if bad else ''}")

    def _line(self, verdict: str, test: unittest.TestCase, why: str = "") -> None:
        self.count += 1
        name = ".".join(test.id().split(".")[-2:])
        for line in why.splitlines():
            print(f"# {line}")
        print(f"# took {time.monotonic() - self.started_at:.1f} s")
        print(f"{verdict} {self.count} - {name}", flush=True)


def _selected(suite: unittest.TestSuite, only: str) -> unittest.TestSuite:
    """The tests of a nested suite whose name contains the text."""
    chosen = unittest.TestSuite()
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            chosen.addTests(_selected(item, only))
        elif only in item.id():
            chosen.addTest(item)
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    unittest.TestCase.maxDiff = None
    name = ".".join(options.file.resolve().relative_to(ROOT).with_suffix("").parts)
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name))
    result = TapResult()
    _selected(suite, options.only).run(result)
    print(f"1..{result.count}")
    return 0 if result.wasSuccessful() and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
