"""The judgement of a soak: it sees what grows, and nothing else."""

import random
import unittest

from tests.endurance.level import MIB, Rule, judge, rule_for, table

COUNT = 60
USERS = 17


class Level(unittest.TestCase):
    """Samples as a run could have them."""

    def _grows(self, name: str, samples: list[int]) -> bool:
        return judge(name, samples, rule_for(name, USERS)).grows

    def test_flat(self) -> None:
        """What is level, with noise and with single peaks, is so."""
        chance = random.Random(1)
        level = [100 * MIB + chance.randrange(MIB) for _ in range(COUNT)]
        level[-5] = 300 * MIB
        self.assertFalse(self._grows("n1 memory", level))

    def test_warm_up(self) -> None:
        """What grows in the first third and then no more is level."""
        samples = [min(number, COUNT // 3) * MIB for number in range(COUNT)]
        self.assertFalse(self._grows("n1 memory", samples))

    def test_leak(self) -> None:
        """What grows all the time is seen, in every measure that has no bound."""
        for name, step in (("n1 memory", MIB), ("n2 threads", 1), ("n3 files", 1),
                           ("n1 log bytes", 4 * MIB), ("n1 store bytes", MIB),
                           ("rows session", 3), ("rows pending", 20),
                           ("rows roster_item", 3), ("rows new table", 3)):
            with self.subTest(name):
                self.assertTrue(self._grows(name, [50 + step * number for number in range(COUNT)]))

    def test_late_leak(self) -> None:
        """So is what begins to grow in the last third, when it is half over."""
        samples = [100 * MIB] * (2 * COUNT // 3)
        samples += [(100 + 3 * number) * MIB for number in range(COUNT // 3)]
        self.assertTrue(self._grows("n1 memory", samples))

    def test_bound(self) -> None:
        """Tombstones may grow up to so many a user, at any time, and not by one more."""
        most = 64 * USERS
        self.assertFalse(self._grows("rows ended", list(range(most - COUNT + 1, most + 1))))
        self.assertTrue(self._grows("rows ended", [0] * (COUNT - 1) + [most + 1]))

    def test_too_few(self) -> None:
        """No judgement without samples."""
        with self.assertRaises(ValueError):
            judge("n1 memory", [1] * 8, Rule())

    def test_report(self) -> None:
        """What grows is marked."""
        report = table([judge("a", list(range(90)), Rule()), judge("b", [1] * 90, Rule())])
        self.assertEqual([False, True, False], ["GROWS" in line for line in report.splitlines()])


if __name__ == "__main__":
    unittest.main()
