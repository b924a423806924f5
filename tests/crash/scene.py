"""A recorded run, the cluster it was made with, and clients that ask for what is theirs."""

import asyncio
import os
import random
import shutil
import tempfile
import time
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.crash import load, trace
from tests.crash.disk import Luck
from tests.crash.load import ABSENTS, TOKEN, History
from tests.crash.moments import Cuts
from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.xmpp_client import Client, Settings
from tools.local import processes
from tools.local.control import ControlError

MEMORY = Path("/dev/shm")
SERVE_TIMEOUT_S = 30.0
ARRIVE_TIMEOUT_S = 30.0


def _folder() -> Path:
    """In memory, where the syncs of other programs do not make a node wait; or on the disk."""
    on_disk = os.environ.get("MUSTER_CRASH_DISK") or not MEMORY.is_dir()
    return Path(tempfile.mkdtemp(prefix="muster-crash-", dir=None if on_disk else MEMORY))


class Recorded:
    """The traces of three nodes and the history of their clients; the nodes do not run."""

    def __init__(self, seconds: float, chance: random.Random) -> None:
        if not load.library().exists():
            raise unittest.SkipTest(f"there is no {load.library()}")
        self.folder = _folder()
        before, tempfile.tempdir = tempfile.tempdir, str(self.folder)
        try:
            recording = load.begin(self.folder)
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        finally:
            tempfile.tempdir = before
        self.cluster: TestCluster = recording.cluster
        self.history: History = recording.history
        try:
            asyncio.run(load.run(recording, seconds, chance))
        except BaseException:
            self.cluster.show_logs()
            self.close()
            raise
        self.rest_ns = recording.rest_ns
        self.kill_all()
        load.end(recording)
        self.traces = {node_id: trace.read(recording.trace(node_id))
                       for node_id in self.cluster.ids}

    def data(self, node_id: int) -> Path:
        """Where a node keeps its files."""
        return Path(self.cluster.node(node_id).data)

    def kill_all(self) -> None:
        """As a power cut does, but for what is in the files."""
        for node_id in self.cluster.ids:
            if processes.is_running(self.cluster.node(node_id)):
                self.cluster.kill(node_id)

    def put(self, cuts: Cuts, node_id: int, luck: Luck, chance: random.Random) -> None:
        """Give a node what it may have after a cut."""
        shutil.rmtree(self.data(node_id))
        cuts.write_image(node_id, self.data(node_id), luck, chance)

    def close(self) -> None:
        """Start once more what was killed, so that all of it ends gracefully."""
        try:
            for node_id in self.cluster.ids:
                if not processes.is_running(self.cluster.node(node_id)):
                    self.cluster.start_and_leave(node_id)
            self.cluster.close()
        finally:
            shutil.rmtree(self.folder)


async def _collect(cluster: TestCluster, user: str, owed: set[str]) -> list[str]:
    """What is waiting for a user, in its order; at least what is owed must come. It may come as
    soon as the address is bound, so XEP-0198 is not asked for in between."""
    received: list[str] = []

    def on_stanza(stanza: ET.Element) -> None:
        received.extend(TOKEN.findall("".join(stanza.itertext())))

    client = Client(Settings(f"{user}@{cluster.cluster.domain}", PASSWORD,
                             cluster.addresses(cluster.ids[0]), cluster.cluster.ca,
                             resource="desk", acks=False), on_stanza)
    await client.start()
    client.send_presence()
    await client.wait_until(lambda: owed <= set(received), ARRIVE_TIMEOUT_S,
                            f"{len(owed)} messages for {user}")
    await client.close()
    return received


def _check_order(user: str, received: list[str]) -> None:
    """AssertionError: a message came twice, or too early."""
    by_sender: dict[str, list[int]] = {}
    for token in received:
        sender, _, number = token.rpartition("-")
        by_sender.setdefault(sender, []).append(int(number))
    for sender, numbers in by_sender.items():
        if numbers != sorted(set(numbers)):
            raise AssertionError(f"{user} gets from {sender}: {numbers}")


def _receiver(token: str) -> str:
    """To whom a message was sent (load.py)."""
    _, kind, *rest = token.split("-")
    if kind == "o":
        return f"absent{int(rest[0]) % ABSENTS}"
    other = {"romeo": "juliet", "juliet": "romeo"}
    return other[rest[0][:-1]] + rest[0][-1]


def _has_account(cluster: TestCluster, name: str) -> bool:
    try:
        cluster.ask(cluster.ids[0], "user.show", user=f"{name}@{cluster.cluster.domain}")
        return True
    except ControlError:
        return False


async def await_promises(cluster: TestCluster, history: History, clock_ns: int) -> None:
    """Wait until all nodes serve and are equal; then clients must get what they were owed when the
    power was cut. TimeoutError, AssertionError: they do not."""
    deadline = time.monotonic() + SERVE_TIMEOUT_S
    for node_id in cluster.ids:
        while not processes.status(cluster.node(node_id)).get("serving"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"node {node_id} does not serve in {SERVE_TIMEOUT_S:.0f} s")
            await asyncio.sleep(0.05)
    await cluster.wait_equal()
    owed = history.owed(clock_ns)
    lost = [token for token in owed if token.startswith("promise-a-")
            and not _has_account(cluster, token)]
    messages: dict[str, set[str]] = {}
    for token in owed:
        if token.split("-")[1] in "mo":
            messages.setdefault(_receiver(token), set()).add(token)
    for user, expected in messages.items():
        _check_order(user, await _collect(cluster, user, expected))
    contacts = {token for token in owed if token.startswith("promise-r-")}
    if contacts:
        editor = Client(Settings(f"editor@{cluster.cluster.domain}", PASSWORD,
                                 cluster.addresses(cluster.ids[0]), cluster.cluster.ca))
        await editor.start()
        roster = await editor.get_roster()
        lost += [token for token in contacts if f"{token}@example.org" not in roster]
        await editor.close()
    if lost:
        raise AssertionError(f"{len(lost)} of {len(owed)} promises are broken: {lost[:5]}")
    print(f"# {len(owed)} promises kept")
