"""The search for a linear order finds one exactly when there is one."""

import itertools
import random
import time
import unittest
from typing import Any

from tools.trial.linear import ABSENT, NEVER, Answer, Op, What, check

VALUES = [1, 2, ABSENT]
HISTORIES = 2000


def sets(begin: float, end: float, value: Any, view: str = "") -> Op:
    """A write."""
    return Op(What.SET, begin, end, value, view)


def removes(begin: float, end: float, view: str = "") -> Op:
    """A removal."""
    return Op(What.REMOVE, begin, end, ABSENT, view)


def reads(begin: float, end: float, value: Any, view: str = "") -> Op:
    """A read and what it found."""
    return Op(What.READ, begin, end, value, view)


def must_precede(first: Op, second: Op) -> bool:
    """The order that any explanation has to keep, written down anew."""
    if not first.end < second.begin:
        return False
    old = second.what is What.READ and second.view != ""
    return not old or first.view == second.view


def by_force(ops: list[Op], initial: Any) -> bool:
    """Try every order of every choice of the unknown operations."""
    known = [op for op in ops if op.end != NEVER]
    unknown = [op for op in ops if op.end == NEVER and op.what is not What.READ]
    for count in range(len(unknown) + 1):
        for chosen in itertools.combinations(unknown, count):
            for order in itertools.permutations(known + list(chosen)):
                if explains(order, initial):
                    return True
    return False


def explains(order: tuple[Op, ...], value: Any) -> bool:
    """Is this order one that keeps time, and in which each read finds its value?"""
    for index, op in enumerate(order):
        if any(must_precede(later, op) for later in order[index + 1:]):
            return False
    for op in order:
        if op.what is What.READ and op.value != value:
            return False
        if op.what is What.REMOVE and value is ABSENT and op.end != NEVER:
            return False
        if op.what is not What.READ:
            value = op.value if op.what is What.SET else ABSENT
    return True


def random_history(source: random.Random) -> list[Op]:
    """A few operations of three clients that may overlap."""
    ops = []
    for _ in range(source.randint(1, 6)):
        begin = source.randint(0, 10)
        end = NEVER if source.random() < 0.2 else begin + source.randint(0, 4)
        what = source.choice(list(What))
        view = source.choice(["", "", "a", "b"])
        if what is What.READ and end == NEVER:
            end = begin + 1
        value = ABSENT if what is What.REMOVE else source.choice(VALUES)
        if what is What.SET and value is ABSENT:
            value = 1
        ops.append(Op(what, begin, end, value, view))
    return ops


class Known(unittest.TestCase):
    """Histories with a known answer."""

    def ask(self, expected: Answer, *ops: Op) -> None:
        """Check one."""
        self.assertIs(expected, check(list(ops)).answer)

    def test_sequential(self) -> None:
        """What was written last is read; anything else is not."""
        write = sets(0, 1, "x")
        self.ask(Answer.YES, write, reads(2, 3, "x"), removes(4, 5), reads(6, 7, ABSENT))
        self.ask(Answer.NO, write, reads(2, 3, ABSENT))
        self.ask(Answer.NO, write, sets(2, 3, "y"), reads(4, 5, "x"))

    def test_concurrent(self) -> None:
        """Reads during a write find either value, but not the older one after the newer."""
        old, new = sets(0, 1, "old"), sets(2, 9, "new")
        self.ask(Answer.YES, old, new, reads(3, 4, "old"), reads(5, 6, "new"))
        self.ask(Answer.NO, old, new, reads(3, 4, "new"), reads(5, 6, "old"))

    def test_unknown(self) -> None:
        """It may take effect late, or never, but once."""
        old, lost = sets(0, 1, "old"), sets(2, NEVER, "new")
        self.ask(Answer.YES, old, lost, reads(50, 51, "old"))
        self.ask(Answer.YES, old, lost, reads(50, 51, "old"), reads(60, 61, "new"))
        self.ask(Answer.NO, old, lost, reads(50, 51, "new"), reads(60, 61, "old"))
        self.ask(Answer.NO, old, lost, reads(50, 51, "new"), sets(60, 61, "third"),
                 reads(70, 71, "new"))
        self.ask(Answer.NO, sets(5, NEVER, "x"), reads(0, 1, "x"))

    def test_removal(self) -> None:
        """It needs something that is there."""
        self.ask(Answer.NO, removes(0, 1))
        self.ask(Answer.YES, sets(0, 3, "x"), removes(1, 2), reads(4, 5, ABSENT))
        self.ask(Answer.YES, removes(0, NEVER), reads(1, 2, ABSENT))

    def test_views(self) -> None:
        """A replica may be behind, but never goes back, and knows its own writes."""
        one, two = sets(0, 1, 1, "a"), sets(2, 3, 2, "a")
        self.ask(Answer.YES, one, two, reads(8, 9, 1, "b"), reads(10, 11, 2, "b"))
        self.ask(Answer.NO, one, two, reads(8, 9, 2, "b"), reads(10, 11, 1, "b"))
        self.ask(Answer.YES, one, two, reads(8, 9, 2, "b"), reads(10, 11, 1, "c"))
        self.ask(Answer.NO, one, two, reads(8, 9, 1, "a"))
        self.ask(Answer.NO, one, two, reads(1.2, 1.5, 2, "b"))
        self.ask(Answer.NO, one, two, reads(8, 9, 1))

    def test_initial(self) -> None:
        """The register may begin with one of several values."""
        ops = [reads(0, 1, "x"), sets(2, 3, "y"), reads(4, 5, "y")]
        self.assertIs(Answer.NO, check(ops).answer)
        self.assertIs(Answer.YES, check(ops, [ABSENT, "x"]).answer)

    def test_names_what_is_stuck(self) -> None:
        """The read that nothing explains is named."""
        wrong = reads(4, 5, "x")
        result = check([sets(0, 1, "x"), sets(2, 3, "y"), wrong, reads(6, 7, "y")])
        self.assertEqual(wrong, result.stuck[0])
        self.assertEqual("y", result.value)


class ByForce(unittest.TestCase):
    """Small random histories."""

    def test_agrees_with_force(self) -> None:
        """Goal: neither a false alarm nor a miss. Method: all orders, tried one by one."""
        source = random.Random(20261130)
        answers = {Answer.YES: 0, Answer.NO: 0}
        for number in range(HISTORIES):
            ops = random_history(source)
            choices: list[list[Any]] = [[ABSENT], [ABSENT, 1]]
            initials = source.choice(choices)
            answer = check(ops, initials).answer
            expected = any(by_force(ops, initial) for initial in initials)
            self.assertEqual(expected, answer is Answer.YES, f"history {number}: {ops}")
            answers[answer] += 1
        self.assertGreater(min(answers.values()), HISTORIES // 10)


class Work(unittest.TestCase):
    """Long histories, and those that are too hard."""

    def test_long(self) -> None:
        """Five thousand operations with two hundred unknown ones are decided at once."""
        source = random.Random(7)
        ops: list[Op] = []
        value: Any = ABSENT
        begin = 0.0
        for number in range(5000):
            begin += 1
            if number % 25 == 0:
                ops.append(sets(begin, NEVER, -number))
            elif number % 3 == 0:
                ops.append(reads(begin, begin + source.random(), value))
            else:
                value = number
                ops.append(sets(begin, begin + source.random(), value))
        before = time.process_time()
        self.assertIs(Answer.YES, check(ops).answer)
        self.assertLess(time.process_time() - before, 20)
        ops[4998] = reads(4999, 4999.5, -5)
        self.assertIs(Answer.NO, check(ops).answer)

    def test_gives_up(self) -> None:
        """Beyond its bound the search claims nothing. Method: writes that all overlap."""
        ops = [sets(0, 100, number) for number in range(20)] + [reads(101, 102, "none")]
        self.assertIs(Answer.UNDECIDED, check(ops, states_max=1000).answer)


if __name__ == "__main__":
    unittest.main()
