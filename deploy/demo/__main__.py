"""Show the main job: two slixmpp clients chat, the node of one is killed, nothing is lost.

Ends with 0 only if nothing was lost, repeated or reordered and nobody was seen unavailable.
"""

import argparse
import asyncio
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.interop.slixmpp_client import SlixmppClient
from tests.lib.recorder import Chat, Judgement, befriend
from tests.lib.watched import Watched
from tests.lib.xmpp_stream import Address
from tools.local import processes
from tools.local.layout import Cluster, load
from tools.local.main import find_program

ROOT = Path(__file__).resolve().parents[2]
USERS = ["romeo", "juliet"]
VICTIM = 1
MESSAGE_INTERVAL_S = 0.05
MESSAGES_BEFORE = 40
TIMEOUT_S = 30.0


class Demo:
    """The steps, each with a headline."""

    def __init__(self, folder: Path, waits: bool) -> None:
        self.folder = folder
        self.waits = waits
        self.cluster: Cluster = load(folder)
        self.password_file = folder / "password"

    def step(self, text: str) -> None:
        """Say what comes next, and let the reader read if wanted."""
        if self.waits:
            input("\n(Enter to go on)")
        print(f"\n== {text}", flush=True)

    def make_accounts(self) -> None:
        """Accounts through musterctl, with one random password."""
        self.step("Accounts, by musterctl")
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secrets.token_urlsafe(12) + "\n")
        for name in USERS:
            command = [find_program("musterctl"), "--cluster", str(self.folder), "user", "add",
                       f"{name}@{self.cluster.domain}", "--password-file",
                       str(self.password_file)]
            print("$ " + " ".join(command))
            subprocess.run(command, check=True)

    def client(self, number: int) -> SlixmppClient:
        """A slixmpp client that begins on node number + 1 and knows all nodes."""
        nodes = self.cluster.nodes[number:] + self.cluster.nodes[:number]
        addresses = [Address(node.host, node.ports["c2s"]) for node in nodes]
        return SlixmppClient(f"{USERS[number]}@{self.cluster.domain}/demo",
                             self.password_file.read_text().strip(), addresses, self.cluster.ca)

    async def chat(self) -> int:
        """Chat, kill, go on, judge."""
        romeo, juliet = self.client(0), self.client(1)
        self.step(f"Two slixmpp clients: {romeo.jid} on node 1, {juliet.jid} on node 2")
        for client in (romeo, juliet):
            await client.start()
            client.send_presence()
        await befriend(romeo, juliet)
        chat = Chat(romeo, juliet)
        chat.begin(MESSAGE_INTERVAL_S)
        await self._talk_on(chat)
        print(f"both see each other online; {_received(chat)} messages so far")
        self.step(f"kill -9 of node {VICTIM}, where {romeo.jid} is")
        seconds = await self._kill(romeo)
        print(f"{romeo.full_jid} resumed its stream on node {self._node_at(romeo.address)}, "
              f"{seconds * 1000:.0f} ms after the kill")
        await self._talk_on(chat)
        judgement = await chat.end(TIMEOUT_S)
        self.step(f"Node {VICTIM} comes back")
        subprocess.run([ROOT / "tools" / "cluster", "start", str(VICTIM), "--dir", self.folder],
                       check=True)
        for client in (romeo, juliet):
            client.acknowledge()  # or what came last would wait for whoever logs in next
            await client.close()
        self.step("What became of the messages")
        report(judgement, seconds)
        return 0 if judgement.faults() == 0 else 1

    async def _talk_on(self, chat: Chat) -> None:
        """Wait until both sides got some more messages."""
        for side in chat.sides:
            enough = len(side.received) + MESSAGES_BEFORE
            await side.client.wait_until(lambda: len(side.received) >= enough, TIMEOUT_S)

    async def _kill(self, orphan: SlixmppClient) -> float:
        """Kill the node; returns the seconds until the client has its stream back."""
        killed_at = time.monotonic()
        processes.send_signal(self.cluster.node(VICTIM), signal.SIGKILL)
        await orphan.wait_until(lambda: orphan.event_count("resumed") > 0, TIMEOUT_S, "resume")
        return _last(orphan, "resumed") - killed_at

    def _node_at(self, address: Address) -> int:
        return next(node.id for node in self.cluster.nodes
                    if node.ports["c2s"] == address.port)

    def say_goodbye(self) -> None:
        """How to go on by hand."""
        node = self.cluster.nodes[0]
        tool = ROOT / "tools" / "cluster"
        print(f"""
The cluster keeps running. To log in with a desktop client (Gajim, Dino, Psi, profanity):
    address   {USERS[0]}@{self.cluster.domain}  or  {USERS[1]}@{self.cluster.domain}
    password  in {self.password_file}
    server    {node.host}  port {node.ports["c2s"]} (STARTTLS) or {node.ports["c2s_tls"]} (TLS)
    trust     {self.cluster.ca}
Look at it:   {tool} status --dir {self.folder}
Stop it:      {tool} down --dir {self.folder}
Remove it:    {tool} down --dir {self.folder} --purge""")


def report(judgement: Judgement, seconds: float) -> None:
    """The figures of the chat, one a line."""
    rows = [("messages sent", judgement.sent), ("acknowledged", judgement.acked),
            ("sent again by the clients", judgement.resent), ("received", judgement.received),
            ("lost", judgement.lost), ("repeated", judgement.repeated),
            ("reordered", judgement.reordered),
            ("unavailable seen by contacts", judgement.unavailable_seen),
            ("errors seen", judgement.errors_seen),
            ("ms from the kill to the resumed stream", f"{seconds * 1000:.0f}")]
    for name, value in rows:
        print(f"    {name:40} {value:>8}")
    if judgement.faults() == 0:
        print("All is well: a node died, and nobody lost anything or noticed.")
    else:
        print(f"FAILED: a promise was broken {judgement.faults()} times.")


def _received(chat: Chat) -> int:
    return sum(len(side.received) for side in chat.sides)


def _last(client: Watched, name: str) -> float:
    return [event.at for event in client.events if event.name == name][-1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy/quickstart", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--wait", choices=["yes", "no"], default="no")
    options = parser.parse_args()
    demo = Demo(options.dir.resolve(), options.wait == "yes")
    demo.make_accounts()
    code = asyncio.run(demo.chat())
    demo.say_goodbye()
    return code


if __name__ == "__main__":
    sys.exit(main())
