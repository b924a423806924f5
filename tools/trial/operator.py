"""What an operator does meanwhile: looks at the nodes twice a second, gives users other homes."""

import asyncio
import itertools
import json
import random
from functools import partial

from tools.local import processes
from tools.local.control import ControlError, ask
from tools.local.layout import Node
from tools.trial.field import Field
from tools.trial.history import NodeSample, Operation

SAMPLE_S = 0.5
ASSIGN_S = 1.0          # mean time between two assignments
REFUSED = 1             # exit code of musterctl
USERS = 4               # whose home changes all the time


class Operator:
    """Runs until it is told to stop."""

    def __init__(self, field: Field, seed: int) -> None:
        self.field = field
        self.record = field.record
        self._chance = random.Random(f"{seed} operator")
        self._assigned = [f"assigned{number}@{field.cluster.domain}" for number in range(USERS)]
        self._tasks: list[asyncio.Task[None]] = []
        self._states: dict[int, dict[str, str]] = {}
        self._known: set[str] = set()  # accounts that have been given a home: they may be read

    def accounts(self) -> list[str]:
        """Those that are assigned here and there, and never log in."""
        return self._assigned

    def begin(self) -> None:
        """Look and assign."""
        self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._assign())]

    async def stop(self) -> None:
        """Do no more."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _look(self) -> None:
        for turn in itertools.count():
            if turn % 4 == 0:
                await self._look_at_groups()
            for node_id, said in (await self.field.reports()).items():
                view = self._states.get(node_id, {})
                self.record.write(NodeSample(
                    self.record.now(), node_id, "error" not in said, said.get("serving", False),
                    said.get("role", ""), said.get("leader") or 0, said.get("term", 0),
                    said.get("applied_index", 0), view.get("state", ""), view.get("reason", ""),
                    alarms=[json.dumps(one) if isinstance(one, dict) else str(one)
                            for one in said.get("alarms", [])]))
            await asyncio.sleep(SAMPLE_S)

    async def _look_at_groups(self) -> None:
        said = await self.field.ctl("ha", "status", "--json", timeout_s=1)
        if said.code == 0:
            self._states = {row["node"]: row for row in said.json()["nodes"]}

    async def _assign(self) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / ASSIGN_S))
            account = self._chance.choice(self._assigned)
            if account not in self._known or self._chance.random() < 0.5:
                await self._set_home(account)
            else:
                await self._read_home(account)

    async def _set_home(self, account: str) -> None:
        home = self._chance.choice(self.field.ids)
        operation = partial(Operation, id=next(self.record.operations), client="operator",
                            f="assign", key=account, value=home)
        self.record.write(operation(self.record.now(), phase="invoke"))
        said = await self.field.ctl("user", "assign", account, str(home))
        phase = {0: "ok", REFUSED: "fail"}.get(said.code, "unknown")
        self.record.write(operation(self.record.now(), phase=phase, detail=said.err.strip()))
        if phase == "ok":
            self._known.add(account)

    async def _read_home(self, account: str) -> None:
        """As one node has it, in one life of that node: it may be behind, but not go back."""
        node = self.field.node(self._chance.choice(self.field.ids))
        life = await self._life(node)
        if life is None:
            return
        operation = partial(Operation, id=next(self.record.operations), client="operator",
                            f="where", key=account, node=node.id, session=life)
        self.record.write(operation(self.record.now(), phase="invoke"))
        try:
            said = await asyncio.to_thread(ask, node.control, "user.show", {"user": account})
        except ControlError as error:
            self.record.write(operation(self.record.now(), phase="fail", detail=str(error)))
            return
        is_same = await self._life(node) == life
        self.record.write(operation(
            self.record.now(), phase="ok" if is_same else "fail",
            value=said["home"] or None, detail="" if is_same else "the node began another life"))

    async def _life(self, node: Node) -> int | None:
        """The incarnation of a node, if it answers."""
        said = await asyncio.to_thread(processes.status, node)
        return said.get("incarnation")
