"""All that a cluster takes levels off under steady load.

Method: tests/soak for two minutes, or as long as MUSTER_SOAK_MINUTES says.
"""

import asyncio
import os
import random
import unittest

from tests.endurance.soak import soak

MINUTES = float(os.environ.get("MUSTER_SOAK_MINUTES", "2"))
SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))


class Soak(unittest.IsolatedAsyncioTestCase):
    """Three nodes."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # unittest's choice; it slows the clients

    async def test_levels_off(self) -> None:
        """Nothing grows, nothing is lost."""
        print(f"# seed {SEED}", flush=True)
        outcome = await soak(MINUTES, 3, SEED)
        print("\n".join(f"# {line}" for line in str(outcome).splitlines()))
        self.assertEqual([], outcome.growing)
        self.assertEqual(0, outcome.judgement.faults(), str(outcome.judgement))


if __name__ == "__main__":
    unittest.main()
