"""Simulated clusters: the whole program on a machine of virtual time (machine.h)."""

import os
import re
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

from tools.local.main import find_program

SEEDS = int(os.environ.get("MUSTER_SIM_SEEDS", "2000"))
SEED_TIMEOUT_S = 60
PLANTED_SEEDS = 300  # the first that fails is the last
PLANTED = {  # what is put into the program on purpose, and a word of what is found
    "early-ack": "which has not got it",
    "repeat": " after ",
    "lose": "is lost|no answer|another device|has no copy",
    "lose-one": "another device|has no copy",
    "forget": "lost its session",
    "flap": "go, which was there",
    "stale": "client [0-9] sees client [0-9]",
    "ghost": "is detached, and nobody's",
    "no-fence": "serves, and is presumed dead",
    "other-state": "has another state at mark",
    "no-redial": "node [0-9] has no link to node [0-9]|does not serve|a vote is missing",
    "old-members": "node [0-9] has no link to node [0-9]|node [0-9] does not serve",
    "waits": "thread raft of node [0-9] stood still for [0-9]+ ms",
    "asks": "thread raft of node [0-9] stood still for [0-9]+ ms",
    "goes-on": "is next|died of signal|does not serve|which has not got it",
    "lost-commit": "which has not got it",
}


def sim(*arguments: str | int, seeds: int = 1) -> subprocess.CompletedProcess[str]:
    """Run it, and have what it says."""
    return subprocess.run([find_program("sim"), *map(str, arguments)], capture_output=True,
                          text=True, check=False, timeout=SEED_TIMEOUT_S * seeds)


def failures(first: int, last: int) -> list[str]:
    """The lines of the seeds that failed."""
    said = sim(first, last, seeds=last - first + 1)
    lines = [line for line in said.stdout.splitlines() if line.startswith("seed ")]
    bad = [line for line in lines if ": ok: " not in line]
    if len(lines) != last - first + 1 or (said.returncode != 0) != bool(bad):
        bad.append(f"seeds {first} to {last}: ended with {said.returncode}: {said.stderr[-500:]}")
    return bad


class Simulation(unittest.TestCase):
    """One seed draws nodes, clients and faults; what must hold is checked at every step."""

    def test_seeds(self) -> None:
        """No seed finds a fault. To repeat one: sim --loud SEED; fewer faults: sim --shrink
        SEED."""
        workers = os.cpu_count() or 1
        share = -(-SEEDS // workers)
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(lambda i: failures(i * share + 1, (i + 1) * share),
                                  range(workers)))
        self.assertEqual([], [line for lines in found for line in lines])
        print(f"# {share * workers} seeds")

    def test_replay(self) -> None:
        """A seed is the same run each time, whatever is printed of it: its trace is a sum over all
        that happened."""
        first = sim(7).stdout
        self.assertEqual(first, sim(7).stdout)
        self.assertEqual(first, sim("--loud", 7).stdout)
        self.assertNotEqual(first.split("trace ")[1], sim(8).stdout.split("trace ")[1])

    def test_planted(self) -> None:
        """What is wrong is found: each planted defect, by one of the first seeds."""
        for plant, word in PLANTED.items():
            with self.subTest(plant):
                said = sim("--plant", plant, "--first", 1, PLANTED_SEEDS, seeds=PLANTED_SEEDS)
                bad = [line for line in said.stdout.splitlines() if ": ok: " not in line]
                self.assertEqual(1, said.returncode)
                self.assertRegex(bad[0], word)
                print(f"# {plant}: {bad[0].split(': ')[0]}")

    def test_shrink(self) -> None:
        """A failing run is cut down to as few of its faults as it needs."""
        found = sim("--plant", "no-fence", "--first", 1, PLANTED_SEEDS, seeds=PLANTED_SEEDS)
        seed = re.findall(r"^seed (\d+): node", found.stdout, re.MULTILINE)[-1]
        said = sim("--plant", "no-fence", "--shrink", seed, seeds=50)
        self.assertRegex(said.stdout, rf"sim --faults \d+ --loud {seed}\n$")


if __name__ == "__main__":
    unittest.main()
