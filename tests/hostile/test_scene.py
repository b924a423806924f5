"""The look at the node after each hostile test can fail: it sees a node that died, and one that
answers nothing.

Method: a case of scene.HostileCase in which no peer does anything bad, but the node comes to harm
in another way, is run, and has to fail with the words for it.
"""

import asyncio
import contextlib
import io
import unittest
from collections.abc import Callable

from tests.hostile.scene import MESSAGE_INTERVAL_S, HostileCase

MESSAGES = 10


class Scene(unittest.TestCase):
    """Each harm by itself, to a cluster of its own."""

    def _notice(self, harm: Callable[[HostileCase], None]) -> str:
        """What a case said in which the node came to harm."""
        class Harmed(HostileCase):
            """Nothing but the harm."""

            async def test_harm(self) -> None:
                """Whatever it is, with a chat before and after it."""
                await self._talk()
                harm(self)
                await self._talk()

            async def _talk(self) -> None:
                aims = [side.sent + MESSAGES for side in self.chat.sides]
                while any(side.sent < aim
                          for side, aim in zip(self.chat.sides, aims, strict=True)):
                    await asyncio.sleep(MESSAGE_INTERVAL_S)

        result = unittest.TestResult()
        with contextlib.redirect_stderr(io.StringIO()):  # the ends of the nodes' logs
            unittest.defaultTestLoader.loadTestsFromTestCase(Harmed).run(result)
        self.assertEqual(1, result.testsRun)
        return "".join(text for _, text in result.failures + result.errors)

    def test_unharmed(self) -> None:
        """Without harm there is nothing to say."""
        self.assertEqual("", self._notice(lambda case: None))

    def test_dies(self) -> None:
        """A node that ends is missed."""
        said = self._notice(lambda case: case.cluster.kill(case.node_id))
        self.assertIn("the node is dead", said)
        self.assertIn("not running at the end: [1]", said)

    def test_stands_still(self) -> None:
        """Of a node that answers nothing the bystanders tell."""
        def freeze(case: HostileCase) -> None:
            case.cluster.pause(case.node_id)
            case.addCleanup(case.cluster.unpause, case.node_id)

        self.assertRegex(self._notice(freeze), "bystanders: |was cut off")


if __name__ == "__main__":
    unittest.main()
