"""The judge of chats: each kind of fault is counted, and nothing else."""

import unittest

from tests.lib.recorder import judge_numbers


class Judge(unittest.TestCase):
    """Numbers 1..sent against what arrived."""

    def _check(self, sent: int, received: list[int], lost: int, repeated: int,
               reordered: int) -> None:
        result = judge_numbers(sent, received)
        self.assertEqual((lost, repeated, reordered),
                         (result.lost, result.repeated, result.reordered))

    def test_clean(self) -> None:
        """Everything once and in order is no fault."""
        self._check(3, [1, 2, 3], 0, 0, 0)
        self._check(0, [], 0, 0, 0)

    def test_faults(self) -> None:
        """Each fault is counted as what it is."""
        self._check(3, [1, 3], 1, 0, 0)
        self._check(3, [1, 2, 2, 3], 0, 1, 0)
        self._check(3, [1, 3, 2], 0, 0, 1)
        self._check(4, [1, 2, 1, 2, 3], 1, 2, 0)
        self._check(5, [3, 2, 1, 3], 2, 1, 2)
