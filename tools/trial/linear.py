"""Is what happened to one register linearizable?

The search is that of Wing and Gong with the memory of Lowe: take any operation that nothing still
open must precede, apply it, go on; never look at the same (operations done, value) twice. Four
things make it fit what a trial sees:

- An operation whose outcome nobody knows may take effect at any time after its invocation, or
  never. It is taken only where the next operation needs what it does: anywhere else it may as well
  not have happened, so no order is missed, and unknown ones do not multiply the work.
- A read that may be taken and fits the value is taken at once: that can only help the rest.
- A read with a view is answered from one replica: it may be old, but not older than what the
  same view saw or wrote before, and it may not know of what began after it. Only operations of its
  own view precede it; it precedes all that began after its end.
- The work is bounded. When the bound is reached nothing is claimed: UNDECIDED.

References: J. Wing, C. Gong, "Testing and Verifying Concurrent Objects" (1993); G. Lowe, "Testing
for Linearizability" (2017).
"""

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

STATES_MAX = 200_000
NEVER = math.inf


class Absent:
    """The value of a register that holds nothing; there is one, ABSENT."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


class What(enum.Enum):
    """What an operation does."""

    SET = "set"
    REMOVE = "remove"  # needs that something is there
    READ = "read"      # finds exactly this value, ABSENT if there was none


@dataclass(frozen=True)
class Op:
    """One operation. end: NEVER when its outcome is unknown. view: whose order a write or an old
    read belongs to; a read without a view must be of its time."""

    what: What
    begin: float
    end: float
    value: Any = ABSENT
    view: str = ""
    tag: int = 0  # for the caller

    def fits(self, value: Any) -> bool:
        """May it take effect at this value?"""
        if self.what is What.READ:
            return bool(value == self.value)
        return self.what is What.SET or value is not ABSENT

    def result(self, value: Any) -> Any:
        """The value after it."""
        if self.what is What.READ or not self.fits(value):
            return value
        return self.value if self.what is What.SET else ABSENT

    def is_old(self) -> bool:
        """Is it a read that may be old?"""
        return self.what is What.READ and self.view != ""


class Answer(enum.Enum):
    """What the search found."""

    YES = "linearizable"
    NO = "not linearizable"
    UNDECIDED = "not decided"


@dataclass
class Result:
    """The answer; stuck: the operations that nothing explains, after the longest order found."""

    answer: Answer
    stuck: list[Op]
    value: Any = ABSENT  # what the register held where it got stuck
    states: int = 0      # looked at


State = tuple[int, int, Any]  # operations done, unknown ones used (bit masks), value


class _Search:
    def __init__(self, ops: list[Op]) -> None:
        self.ops = sorted((op for op in ops if op.end != NEVER), key=lambda op: op.begin)
        self.unknown = [op for op in ops if op.end == NEVER and op.what is not What.READ]
        self.all = (1 << len(self.ops)) - 1
        self.views: dict[str, int] = {}
        for index, op in enumerate(self.ops):
            if op.view:
                self.views[op.view] = self.views.get(op.view, 0) | 1 << index

    def open_of(self, mask: int) -> Iterator[int]:
        """The indexes in a mask, in the order of their begin."""
        while mask:
            lowest = mask & -mask
            yield lowest.bit_length() - 1
            mask ^= lowest

    def enabled(self, done: int) -> Iterator[int]:
        """The operations that nothing open must precede."""
        first_end = NEVER
        for index in self.open_of(self.all & ~done):
            op = self.ops[index]
            if op.begin > first_end:
                break
            first_end = min(first_end, op.end)
            if not op.is_old():
                yield index
        for view in self.views.values():
            first_end = NEVER
            for index in self.open_of(view & ~done):
                op = self.ops[index]
                if op.begin > first_end:
                    break
                first_end = min(first_end, op.end)
                if op.is_old():
                    yield index

    def take_reads(self, done: int, value: Any) -> int:
        """All reads that may be taken here, and those that may be once they are."""
        while True:
            fitting = [index for index in self.enabled(done)
                       if self.ops[index].what is What.READ and self.ops[index].fits(value)]
            if not fitting:
                return done
            for index in fitting:
                done |= 1 << index

    def next_states(self, done: int, used: int, value: Any) -> list[State]:
        """What may come next; the likeliest last."""
        ready = [self.ops[index] for index in self.enabled(done)]
        states: list[State] = []
        open_ends = [self.ops[index].end for index in self.open_of(self.all & ~done)]
        first_end = min(open_ends, default=NEVER)
        for number, op in enumerate(self.unknown):
            if not used >> number & 1 and op.begin <= first_end:
                after = op.result(value)
                if any(not other.fits(value) and other.fits(after) for other in ready):
                    states.append((done, used | 1 << number, after))
        writes = [index for index in self.enabled(done)
                  if self.ops[index].what is not What.READ and self.ops[index].fits(value)]
        writes.sort(key=lambda index: -self.ops[index].end)
        states += [(done | 1 << index, used, self.ops[index].result(value)) for index in writes]
        return states

    def run(self, initial: Any, states_max: int) -> Result:
        """Search from one initial value."""
        stack: list[State] = [(0, 0, initial)]
        seen: set[State] = set()
        best: State = stack[0]
        while stack:
            done, used, value = stack.pop()
            done = self.take_reads(done, value)
            if done == self.all:
                return Result(Answer.YES, [], value, len(seen))
            if (done, used, value) in seen:
                continue
            seen.add((done, used, value))
            if len(seen) > states_max:
                return Result(Answer.UNDECIDED, [], value, len(seen))
            if done.bit_count() >= best[0].bit_count():
                best = (done, used, value)
            stack += self.next_states(done, used, value)
        stuck = [self.ops[index] for index in self.enabled(best[0])]
        return Result(Answer.NO, sorted(stuck, key=lambda op: op.end), best[2], len(seen))


def check(ops: list[Op], initials: list[Any] | None = None,
          states_max: int = STATES_MAX) -> Result:
    """Is there an order of these operations that starts from one of the initial values?

    Values must be hashable. initials: by default only ABSENT. NO is said only when no order exists
    from any of them.
    """
    search = _Search(ops)
    worst = None
    for initial in initials or [ABSENT]:
        result = search.run(initial, states_max)
        if result.answer is Answer.YES:
            return result
        if worst is None or result.answer is Answer.UNDECIDED:
            worst = result
    assert worst is not None
    return worst
