"""A cluster of real processes under every fault that can be made here, with clients: all that was
promised is kept; and a promise that is broken on the way is seen at the end.

Method: tools/chaos makes three nodes, plays the faults as a seed draws them (MUSTER_SEED repeats
it), and its judge reads what was recorded. For the proof that this chain can fail, one link of it
is broken at a time: clients forget a message that they got, and all nodes go back to what they had
a while ago, as no majority ever may.
"""

import asyncio
import contextlib
import io
import os
import random
import re
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest import mock

from tests.lib.xmpp_client import MESSAGE
from tools.trial import ground
from tools.trial.faults import ALL
from tools.trial.faults.fault import Fault
from tools.trial.field import Field
from tools.trial.history import FaultBegin, Got, of_kind, read
from tools.trial.judge import judge
from tools.trial.main import HISTORY, main
from tools.trial.schedule import Blow
from tools.trial.session import Session

SEED = int(os.environ.get("MUSTER_SEED", str(random.SystemRandom().randrange(2 ** 32))))
MINUTES = float(os.environ.get("MUSTER_CHAOS_MINUTES", "1"))
NODES = int(os.environ.get("MUSTER_CHAOS_NODES", "3"))
GONE_BACK_S = 5.0
LINES_SHOWN = 60


class ChaosTest(unittest.TestCase):
    """Trials in a folder of their own."""

    def setUp(self) -> None:
        print(f"# seed {SEED}", flush=True)
        self.folder = Path(tempfile.mkdtemp(prefix="muster-chaos-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.cluster = self.folder / "c"
        self.history = self.cluster / HISTORY

    def run_chaos(self, minutes: float, faults: str, clients: int) -> int:
        """One trial; returns the exit code. What it printed is in self.said."""
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                return main(["run", "--cluster", str(self.cluster), "--nodes", str(NODES),
                             "--minutes", str(minutes), "--seed", str(SEED), "--faults", faults,
                             "--clients", str(clients)])
        finally:
            self.said = said.getvalue()

    def show(self) -> None:
        """The end of each log, and what was printed, for whoever reads a failure."""
        for log in sorted(self.cluster.glob("n*/log")):
            lines = log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
            print("\n".join([f"--- {log.parent.name}", *lines]), file=sys.stderr)
        print(self.said, file=sys.stderr)


class Chaos(ChaosTest):
    """The product."""

    def test_all_faults(self) -> None:
        """Each fault at least once; nothing is lost, repeated or reordered, nobody flaps, no ghost
        stays, no minority serves, every read fits, and all nodes end equal."""
        code = self.run_chaos(MINUTES, "all", 24)
        if code != 0:
            self.show()
        self.assertEqual(0, code, f"seed {SEED}")
        came = {event.name for event in of_kind(read(self.history), FaultBegin)}
        able = ground.abilities(self.cluster)
        self.assertEqual({name for name, fault in ALL.items() if fault.needs <= able}, came)
        self.assertGreater(sum(1 for _ in of_kind(read(self.history), Got)), 0)


class Broken(ChaosTest):
    """What must be seen."""

    def test_message_forgotten(self) -> None:
        """Whoever gets the first message of a client acknowledges it, and forgets it: those
        messages are lost, and no other. Of one of them the judge may not be sure (its sender gave
        up before it was told, its reader left a session that may have it), so it is one a client.
        """
        forgotten: set[str] = set()
        on_stanza = Session._on_stanza

        def forget_first(session: Session, stanza: ET.Element) -> None:
            name = stanza.get("id", "")
            if stanza.tag == MESSAGE and stanza.get("type") == "chat" and name.endswith("-1"):
                forgotten.add(name)
            else:
                on_stanza(session, stanza)

        with mock.patch.object(Session, "_on_stanza", forget_first):
            code = self.run_chaos(0.1, "kill", 8)
        verdict = judge(self.history)
        self.assertEqual(1, code, self.said)
        counts = {name: count for name, count in verdict.counts.items() if count}
        self.assertEqual({"lost": len(verdict.findings)}, counts, self.said)
        for finding in verdict.findings:
            found = re.match(r"message (\d+) of (\S+) ", finding.text)
            assert found is not None
            self.assertIn(f"{found[2]}-{found[1]}", forgotten)

    def test_time_turned_back(self) -> None:
        """All nodes lose what they took in the last seconds, and come back equal and content: the
        clients know better."""
        fault = Fault("turn-back", "all nodes go back", _draw_turn_back, _turn_back)
        with mock.patch.dict(ALL, {"turn-back": fault}):
            code = self.run_chaos(0.1, "turn-back", 8)
        self.assertEqual(1, code, self.said)
        counts = judge(self.history).counts
        self.assertGreater(counts["not resumed"] + counts["not linearizable"] + counts["lost"], 0)
        self.assertEqual(0, counts["hashes"])


def _draw_turn_back(_: random.Random, ids: list[int]) -> Blow:
    return Blow("turn-back", "all", tuple(ids), GONE_BACK_S, frozenset(ids), alone=True)


async def _turn_back(field: Field, blow: Blow) -> None:
    """Stop all, keep a copy, go on for a while, kill all, and put the copy in its place."""
    await field.kill(blow.nodes)
    for node_id in blow.nodes:
        shutil.copytree(field.data(node_id), field.data(node_id).with_name("earlier"))
        field.start(node_id)
    await field.until_whole()
    await asyncio.sleep(blow.length_s)
    await field.kill(blow.nodes)
    number = field.began(blow.fault, blow.nodes, down=blow.nodes)
    for node_id in blow.nodes:
        data = field.data(node_id)
        shutil.rmtree(data)
        data.with_name("earlier").rename(data)
    field.ending(number)
    for node_id in blow.nodes:
        field.start(node_id)
