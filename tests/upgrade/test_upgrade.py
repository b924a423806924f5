"""A cluster is upgraded to the next version of the program and back, and refuses what it must.

Method of all tests: two builds of this tree, the second with NEXT_VERSION: it reads a version more,
and once that is written its nodes add a field to a command and its row (storage/state/next.h).
"""

import asyncio
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.kill.scene import RESUME_TIMEOUT_S, Scene
from tests.lib.cluster import ROOT
from tests.upgrade.scene import (NEXT, NEXT_PROGRAM, OLD, WRITTEN_NEXT, WRITTEN_OLD, UpgradeTest)
from tools.local import processes
from tools.local.control import ControlError

JOIN_TIMEOUT_S = 5
START_FAILED = 1


class Rolling(UpgradeTest):
    """Pairs of clients chat all the while: nothing lost, repeated or reordered, no flap."""

    async def test_upgrade(self) -> None:
        """Node by node to the next build as README.md says, one of them back and forth; between two
        nodes the cluster is mixed, and its state is copied from either build to the other. What is
        written rises when all are new and an operator says so, not before; all states are equal."""
        order = self.chance.sample(self.cluster.ids, 3)
        print(f"# order {order}", flush=True)
        steps = [self._first, self._second, self._third]
        await self.run_losses(len(order), lambda scene: order[-len(steps)],
                              lambda scene, node: steps.pop(0)(scene, node))

    async def _first(self, scene: Scene, node: int) -> None:
        """The first one; nothing may rise, and it can go back."""
        await self._upgrade(scene, node, NEXT)
        await self._expect_mixed([other for other in self.cluster.ids if other != node])
        await self._upgrade(scene, node, OLD)
        self.assertEqual((WRITTEN_OLD, WRITTEN_OLD),
                         tuple(self.check()[key] for key in ("written", "newest")))
        await self._upgrade(scene, node, NEXT)

    async def _second(self, scene: Scene, node: int) -> None:
        """One new, two old: copies of the state both ways."""
        first, = self._nodes_of(NEXT)
        await self._copy(scene, first, node)
        await self._copy(scene, node, first)
        await self._upgrade(scene, node, NEXT)
        await self._expect_mixed(self._nodes_of(OLD))

    async def _third(self, scene: Scene, node: int) -> None:
        """Nobody is in the way any more; what is written is still what the old build reads."""
        await self._upgrade(scene, node, NEXT)
        check = self.check()
        self.assertEqual((WRITTEN_OLD, WRITTEN_NEXT, []),
                         tuple(check[key] for key in ("written", "newest", "hindrances")))
        self.assertIn("cluster upgrade-finish lets them write it",
                      self.ok("cluster", "upgrade-check").out)
        await self._upgrade(scene, node, OLD)  # it is not too late
        await self._expect_mixed([node])
        await self._upgrade(scene, node, NEXT)
        await self._expect_new_data(programs=0)
        await asyncio.to_thread(self._back_up)
        self.assertEqual(0, sum(self.entries_of(node, WRITTEN_NEXT) for node in self.cluster.ids))
        await self.finish()
        await self._expect_new_data(programs=3)
        await self.until(lambda: all(self.entries_of(node, WRITTEN_NEXT)
                                     for node in self.cluster.ids), "entries stay of the old form")
        self.refused("written already", "cluster", "upgrade-finish")
        await self._upgrade(scene, node, NEXT)  # the new data is read after a start, too

    # ------------------------------------------------------------ helpers

    def _back_up(self) -> None:
        """The newer program writes what the older one reads, and knows what it has written."""
        file = self.cluster.folder / "before.backup"
        self.ok("backup", "create", "--out", str(file))
        self.ok("backup", "verify", str(file))

    def _nodes_of(self, build: str) -> list[int]:
        return [node for node in self.cluster.ids
                if (self.choices / str(node)).read_text() == str(self.builds[build])]

    async def _upgrade(self, scene: Scene, node: int, build: str) -> None:
        """upgrade-check, drain, another program, fallback."""
        await self.until(lambda: self.ctl("cluster", "upgrade-check").code == 0,
                         "it does not become safe")
        await asyncio.to_thread(self.ok, "ha", "drain", str(node), "--rate", "100/s", "--watch")
        await self.change(node, build)
        await asyncio.to_thread(self.ok, "ha", "fallback", str(node), "--watch")
        await self.cluster.wait_equal()
        for client in scene.clients[:2]:
            count = client.event_count("resumed")
            client.move(next(address for address in client.settings.addresses
                             if self.cluster.node_at(address) == node))
            await client.wait_until(
                lambda client=client, count=count: client.event_count("resumed") > count,
                RESUME_TIMEOUT_S, f"resume after a move to node {node}")

    def _versions(self) -> tuple[int, int, int]:
        """Written, newest, and how many members are in the way."""
        check = self.check()
        return check["written"], check["newest"], len(check["hindrances"])

    def _refuses(self, node: int, build: str, reason: str) -> bool:
        """For this reason; while it has not heard from all, the node refuses for that."""
        said = self.ctl_of(build, "--node", str(node), "cluster", "upgrade-finish")
        self.assertEqual(1, said.code, said)
        return reason in said.err

    async def _expect_mixed(self, old_nodes: list[int]) -> None:
        """Each old node is named as what hinders, and finish is refused, whichever musterctl asks
        whichever node."""
        await self.until(lambda: (WRITTEN_OLD, WRITTEN_NEXT, len(old_nodes)) == self._versions(),
                         f"upgrade-check does not name {old_nodes}")
        reason = f"node {old_nodes[0]} reads up to version {WRITTEN_OLD}"
        for build in (OLD, NEXT):
            for node in self.cluster.ids:
                await self.until(lambda node=node, build=build: self._refuses(node, build, reason),
                                 f"node {node} does not hear of node {old_nodes[0]}")
        self.assertEqual({WRITTEN_OLD}, self.written())

    async def _copy(self, scene: Scene, source: int, target: int) -> None:
        """The source leads; the target loses its disk, and gets a copy from it."""
        await self.until(lambda: self.ctl("cluster", "transfer", str(source)).code == 0
                         and self.cluster.leader() == source, f"node {source} does not lead")
        since = len(self.log_of(target))
        await scene.lose_node(target, self.cluster.kill)
        await self.cluster.rejoin(target)
        await self.until_said(target, f" snapshot.fetched node={source} ", since)
        await self.cluster.wait_equal()
        self.assertEqual({WRITTEN_OLD}, self.written())

    async def _expect_new_data(self, programs: int) -> None:
        """So many nodes' rows have the new field, in every store."""
        self.ok("state", "mark")
        await self.cluster.wait_equal()
        for node in self.cluster.ids:
            await self.until(lambda node=node: self.programs_in_store(node) == programs,
                             f"not {programs} programs in the store of node {node}")


def _digest(folder: Path) -> dict[str, str]:
    """What is in the files of a node's data, but for the table of LMDB's readers."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock.mdb"}


class Refused(UpgradeTest):
    """A cluster that writes the next version; then a node of the old build comes."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        for node in self.cluster.ids:
            await self.change(node, NEXT)
        self.cluster.add_user("romeo")
        self.old = self.chance.choice(self.cluster.ids)
        self.others = [node for node in self.cluster.ids if node != self.old]

    async def _well_again(self) -> None:
        """With the next build the node is as any other."""
        self.choose(self.old, NEXT)
        await self.cluster.start(self.old)
        await self.cluster.wait_equal()
        self.assertEqual({WRITTEN_NEXT}, self.written())

    async def test_on_new_data(self) -> None:
        """The old program does not start on data of the new one, says why, and changes nothing."""
        await self.finish()
        self.ok("state", "mark")
        await self.cluster.wait_equal()
        await self.stop(self.old)
        self.choose(self.old, OLD)
        data = Path(self.cluster.node(self.old).data)
        before, since = _digest(data), len(self.log_of(self.old))
        self.assertEqual(START_FAILED, await asyncio.to_thread(self.start_refused, self.old))
        said = self.log_of(self.old)[since:]
        self.assertIn("a newer program wrote this store: start that one", said)
        self.assertEqual(before, _digest(data))
        await self._well_again()

    async def test_on_older_data(self) -> None:
        """The old program on data from before the rise: both sides of its links say why they refuse
        them, it serves nobody, and the others are not disturbed."""
        await self.stop(self.old)
        data = Path(self.cluster.node(self.old).data)
        kept = self.choices / "data"
        shutil.copytree(data, kept, copy_function=shutil.copy)
        await self.cluster.start(self.old)
        await self.finish()
        await self.stop(self.old)
        await asyncio.to_thread(shutil.move, data, self.choices / "newer")
        await asyncio.to_thread(shutil.move, kept, data)
        await self._expect_no_links()
        shutil.rmtree(data)
        await asyncio.to_thread(shutil.move, self.choices / "newer", data)
        await self._well_again()

    async def test_joining(self) -> None:
        """The old program on an empty machine does not get in; the next one does, as it is."""
        await self.finish()
        await self.stop(self.old)
        self.choose(self.old, OLD)
        since = {node: len(self.log_of(node)) for node in self.cluster.ids}
        done = await asyncio.to_thread(
            subprocess.run, [ROOT / "tools" / "cluster", "rejoin", "--dir", self.cluster.folder,
                             str(self.old), "--timeout", str(JOIN_TIMEOUT_S)],
            capture_output=True, text=True, check=False)
        self.assertIn("does not serve after", done.stderr)
        await self._expect_said(since)
        self.cluster.kill(self.old)
        await self._well_again()

    async def _expect_no_links(self) -> None:
        self.choose(self.old, OLD)
        since = {node: len(self.log_of(node)) for node in self.cluster.ids}
        self.cluster.start_and_leave(self.old)
        await self._expect_said(since)
        await self.expect_not_serving(self.old)
        for node in self.others:
            self.assertTrue(processes.status(self.cluster.node(node))["serving"])
        self.assertIn(f"node {self.old} is down", self.check()["reasons"])
        self.cluster.kill(self.old)

    async def _expect_said(self, since: dict[int, int]) -> None:
        """Why, at both ends."""
        written = f"the cluster writes version {WRITTEN_NEXT}"
        await self.until_said(self.old, f"{written}, this program reads up to {WRITTEN_OLD}: "
                              "upgrade this node", since[self.old])
        for node in self.others:
            await self.until_said(node, f"{written}, its program reads up to {WRITTEN_OLD}: "
                                  "upgrade it", since[node])


class Fresh(UpgradeTest):
    """A new cluster of the next build."""

    first_build = NEXT

    async def test_begins_with_the_newest(self) -> None:
        """Nobody has to finish an upgrade that never was; its version says that it is for tests."""
        await self.until(lambda: self.written() == {WRITTEN_NEXT}, "it does not begin with that")
        self.assertEqual({NEXT_PROGRAM}, {node["version"] for node in self.check()["nodes"]})
        with self.assertRaisesRegex(ControlError, f"no such verb: musterd here is {NEXT_PROGRAM}"):
            self.cluster.ask(1, "cluster.of-another-version")
