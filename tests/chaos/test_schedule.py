"""What befalls a cluster is drawn from a seed alone, leaves out nothing, and takes the majority
only on purpose."""

import itertools
import subprocess
import unittest
from pathlib import Path

from tools.trial.faults import ALL
from tools.trial.faults.links import SHAPES, pairs_of
from tools.trial.schedule import Blow, Round, majority, rounds

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(30)
SIZES = ([1, 2, 3], [1, 2, 3, 4, 5])
ROUNDS = 200
DRAWS = {name: fault.draw for name, fault in ALL.items()}


def _some(seed: int, ids: list[int], count: int = ROUNDS) -> list[Round]:
    return list(itertools.islice(rounds(seed, ids, DRAWS), count))


class Schedule(unittest.TestCase):
    """Rounds for clusters of three and five nodes."""

    def test_repeats(self) -> None:
        """The same seed and nodes give the same rounds; another seed gives others."""
        for ids in SIZES:
            self.assertEqual(_some(1, ids), _some(1, ids))
            self.assertNotEqual(_some(1, ids), _some(2, ids))

    def test_plan(self) -> None:
        """--plan prints them, the same in every process, and makes no cluster."""
        command = [str(ROOT / "tools" / "chaos"), "run", "--cluster", "/nonexistent/cluster",
                   "--nodes", "5", "--seed", "3", "--plan"]
        plans = [subprocess.run(command, capture_output=True, text=True, check=True,
                                env={"PYTHONHASHSEED": seed}).stdout for seed in ("1", "2")]
        self.assertEqual(plans[0], plans[1])
        first = _some(3, SIZES[1], 1)[0].blows[0]
        self.assertIn(str(first), plans[0].splitlines()[0])

    def test_each_has_its_turn(self) -> None:
        """Within as many rounds as there are faults each of them begins one."""
        for seed, ids in itertools.product(SEEDS, SIZES):
            first = [one.blows[0].fault for one in _some(seed, ids, len(ALL))]
            self.assertEqual(sorted(ALL), sorted(first))

    def test_majority(self) -> None:
        """What comes together leaves a majority that votes, and no node to two faults that would
        take it; the majority is lost now and then, by a fault that comes alone."""
        for ids in SIZES:
            lost = together = 0
            for one in (one for seed in SEEDS for one in _some(seed, ids)):
                taken = [node for blow in one.blows for node in blow.taken]
                if len(one.blows) > 1:
                    together += 1
                    self.assertFalse(any(blow.alone for blow in one.blows))
                    self.assertEqual(len(taken), len(set(taken)), one)
                    self.assertGreaterEqual(len(ids) - len(taken), majority(ids), one)
                elif len(ids) - len(taken) < majority(ids):
                    lost += 1
                    self.assertTrue(one.blows[0].alone, one)
            self.assertGreater(lost, 0)
            self.assertGreater(together, 0)

    def test_cuts(self) -> None:
        """Every shape of a cut comes, and is what its name says."""
        ids = SIZES[1]
        seen = {blow.shape for seed in SEEDS for one in _some(seed, ids) for blow in one.blows
                if blow.fault == "cut"}
        self.assertEqual({*SHAPES, "all links"}, seen)
        expected = {
            ("alone", (1,)): {(1, 2), (2, 1), (1, 3), (3, 1)},
            ("mute", (1,)): {(1, 2), (1, 3)},
            ("deaf", (1,)): {(2, 1), (3, 1)},
            ("link", (1, 2)): {(1, 2), (2, 1)},
            ("one way", (1, 2)): {(1, 2)},
            ("halves", (1,)): {(1, 2), (2, 1), (1, 3), (3, 1)},
            ("dark", (1,)): {(1, 2), (2, 1), (1, 3), (3, 1)},
            ("all links", (1, 2, 3)): set(itertools.permutations([1, 2, 3], 2)),
        }
        for (shape, nodes), pairs in expected.items():
            self.assertEqual(pairs, set(pairs_of(Blow("cut", shape, nodes, 1.0), [1, 2, 3])))
