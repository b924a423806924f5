"""A cluster under load, each node with a recorder, and what its clients were promised meanwhile.

Every promise is a text that is found in a row of the state for as long as it must be kept: an
account, a contact in a roster, the body of a message that nobody has received yet. The clock is
the monotonic one, as in the traces of the nodes.
"""

import asyncio
import os
import random
import re
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lib.cluster import PASSWORD, TestCluster
from tests.lib.xmpp_client import Client, Settings, is_message
from tools.local.control import ControlError
from tools.local.layout import load, save
from tools.local.main import find_program

LIBRARY = "tests/libdisk_recorder.so"
TOKEN = re.compile(r"promise-[a-z0-9-]+")
UP_OPTIONS = ("--nodes", "3", "--limit", "log_entries=100", "--limit", "scram_iterations=4096")
PAUSE_S = 0.05
ABSENTS = 20               # accounts whose messages wait for them
DOWN_ENTRIES = 320         # a node that missed so much needs a copy of the store
BEGIN_S = 60.0
CATCH_UP_S = 20.0
KINDS = 4                  # of promises: messages to clients and to absents, accounts, contacts
CLIENTS = 6


@dataclass
class History:
    """What clients know, by the monotonic clock: promises made to them, and messages received."""

    promised_ns: dict[str, int] = field(default_factory=dict)
    received_ns: dict[str, int] = field(default_factory=dict)

    def promise(self, text: str) -> None:
        """The cluster said that it has what is named in this text."""
        for token in TOKEN.findall(text):
            self.promised_ns.setdefault(token, time.monotonic_ns())

    def receive(self, text: str) -> None:
        """A client has what was sent to it."""
        for token in TOKEN.findall(text):
            self.received_ns.setdefault(token, time.monotonic_ns())

    def owed(self, clock_ns: int) -> set[str]:
        """What the cluster must have at that moment."""
        return {token for token, at in self.promised_ns.items()
                if at <= clock_ns and self.received_ns.get(token, clock_ns + 1) > clock_ns}


class PromisedClient(Client):
    """A client that notes what is acknowledged to it."""

    def __init__(self, settings: Settings, history: History) -> None:
        super().__init__(settings, lambda stanza: history.receive("".join(stanza.itertext())))
        self._history = history

    def on_acked(self, stanzas: list[str]) -> None:
        """Messages among them are promises."""
        for stanza in filter(is_message, stanzas):
            self._history.promise(stanza)


@dataclass
class Recording:
    """A cluster, the traces of its nodes below a folder, and its clients' history."""

    cluster: TestCluster
    traces: Path
    history: History
    clients: list[PromisedClient] = field(default_factory=list)
    rest_ns: int = 0  # when all nodes had all, at the end

    def trace(self, node_id: int) -> Path:
        """What the names of a node's traces begin with."""
        return self.traces / str(node_id)


def library() -> Path:
    """The recorder; it is built beside the programs."""
    return Path(find_program("musterd")).parents[1] / LIBRARY


def begin(traces: Path) -> Recording:
    """Three nodes, each with a recorder."""
    launcher = (f"env LD_PRELOAD={library()} RECORDED_DIR={{folder}}/n{{node}}/data "
                f"RECORDED_TRACE={traces}/{{node}}")
    return Recording(TestCluster(*UP_OPTIONS, launcher=launcher), traces, History())


def end(recording: Recording) -> None:
    """Nodes that are started from now on are not recorded."""
    cluster = load(recording.cluster.folder)
    cluster.launcher = shlex.split(os.environ.get("MUSTER_LAUNCHER", ""))
    save(recording.cluster.folder, cluster)


# ---------------------------------------------------------------- the load


async def _chat(recording: Recording, number: int) -> None:
    """Two clients on different nodes send each other messages."""
    cluster, ids = recording.cluster, recording.cluster.ids
    pair = []
    for name, offset in (("romeo", 0), ("juliet", 1)):
        jid = await asyncio.to_thread(cluster.add_user, f"{name}{number}")
        addresses = cluster.addresses(ids[(number + offset) % len(ids)])
        client = PromisedClient(Settings(jid, PASSWORD, addresses, cluster.cluster.ca,
                                         resource="desk", silence_s=1.5), recording.history)
        await client.start()
        client.send_presence()
        pair.append(client)
    recording.clients += pair
    count = 0
    while True:
        count += 1
        for client, other in (pair, pair[::-1]):
            client.send_message(other.jid, f"promise-m-{client.user}-{count}")
        await asyncio.sleep(PAUSE_S)


async def _write_to_absent(recording: Recording) -> None:
    """Messages to accounts that do not log in; large ones, too, which need pages of their own."""
    cluster = recording.cluster
    jid = await asyncio.to_thread(cluster.add_user, "writer")
    absents = [await asyncio.to_thread(cluster.add_user, f"absent{one}") for one in range(ABSENTS)]
    client = PromisedClient(Settings(jid, PASSWORD, cluster.addresses(cluster.ids[-1]),
                                     cluster.cluster.ca, silence_s=1.5), recording.history)
    await client.start()
    recording.clients.append(client)
    count = 0
    while True:
        count += 1
        body = f"promise-o-{count}" + (" " + "x" * 9000 if count % 10 == 0 else "")
        client.send_message(absents[count % ABSENTS], body)
        await asyncio.sleep(PAUSE_S)


async def _add_accounts(recording: Recording) -> None:
    """Accounts, at each node in turn."""
    cluster = recording.cluster
    count = 0
    while True:
        count += 1
        name = f"promise-a-{count}"
        try:
            await asyncio.to_thread(cluster.ask, cluster.ids[count % 3], "user.add",
                                    user=f"{name}@{cluster.cluster.domain}", password=PASSWORD)
            recording.history.promise(name)
        except ControlError:
            pass  # the node is down, or there is no leader
        await asyncio.sleep(PAUSE_S)


async def _edit_roster(recording: Recording) -> None:
    """Contacts of one account."""
    cluster = recording.cluster
    jid = await asyncio.to_thread(cluster.add_user, "editor")
    client = PromisedClient(Settings(jid, PASSWORD, cluster.addresses(cluster.ids[0]),
                                     cluster.cluster.ca, silence_s=1.5), recording.history)
    await client.start()
    recording.clients.append(client)
    count = 0
    while True:
        count += 1
        contact = f"promise-r-{count}"
        await client.request(f"<query xmlns='jabber:iq:roster'><item jid='{contact}@example.org'"
                             f" name='{contact}'/></query>", "set", timeout_s=60.0)
        recording.history.promise(contact)
        await asyncio.sleep(PAUSE_S)


async def _wait_at_work(recording: Recording, tasks: list[asyncio.Task[None]]) -> None:
    """Wait until there is a promise of each kind, and all clients are logged in."""
    deadline = time.monotonic() + BEGIN_S
    while (len({token.split("-")[1] for token in recording.history.promised_ns}) < KINDS
           or len(recording.clients) < CLIENTS):
        if time.monotonic() > deadline or any(task.done() for task in tasks):
            raise TimeoutError("the clients do not get to work")
        await asyncio.sleep(PAUSE_S)


async def _lose_node(recording: Recording, chance: random.Random) -> None:
    """One node is away for so long that it needs a copy of the store."""
    cluster = recording.cluster
    victim = chance.choice([one for one in cluster.ids if one != cluster.leader()])
    cluster.kill(victim)
    other = next(one for one in cluster.ids if one != victim)
    begun = cluster.ask(other, "node.status")["applied_index"]
    while cluster.ask(other, "node.status")["applied_index"] < begun + DOWN_ENTRIES:
        await asyncio.sleep(PAUSE_S)
    await cluster.start(victim)


def _indexes(cluster: TestCluster) -> set[int]:
    """Where the logs of all nodes end, and how far they are committed and applied."""
    views = [cluster.ask(node_id, "node.status") for node_id in cluster.ids]
    return {view[key] for view in views for key in ("last_index", "commit_index", "applied_index")}


async def _rest_ns(cluster: TestCluster) -> int:
    """A moment at which every node had the whole log, and nothing was on its way: so it is before
    that moment and behind it."""
    deadline = time.monotonic() + CATCH_UP_S
    while time.monotonic() < deadline:
        before = _indexes(cluster)
        rest_ns = time.monotonic_ns()
        await asyncio.sleep(PAUSE_S)
        if len(before) == 1 and _indexes(cluster) == before:
            return rest_ns
    raise TimeoutError(f"no rest: {before}")


async def run(recording: Recording, seconds: float, chance: random.Random) -> None:
    """Load for so long before and after one node is lost; then the nodes come to rest."""
    await recording.cluster.wait_leader()
    tasks = [asyncio.create_task(work) for work in (
        _chat(recording, 0), _chat(recording, 1), _write_to_absent(recording),
        _add_accounts(recording), _edit_roster(recording))]
    try:
        await _wait_at_work(recording, tasks)
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        await _lose_node(recording, chance)
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            if task.done():
                task.result()  # it never ends well
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for client in recording.clients:
        await client.vanish()
    await recording.cluster.wait_equal(CATCH_UP_S)
    recording.rest_ns = await _rest_ns(recording.cluster)
