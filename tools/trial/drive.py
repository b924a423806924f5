"""A trial from its first event to its last: clients act, faults come and go, everything heals, and
what is left is written down."""

import asyncio
import secrets
import tempfile
import time
from dataclasses import dataclass, field

from tools.local.control import ControlError
from tools.local.layout import LocalError
from tools.trial import ending
from tools.trial.crowd import Crowd, Plan
from tools.trial.faults.fault import Fault
from tools.trial.field import Field, NotHealed
from tools.trial.history import Run
from tools.trial.operator import Operator
from tools.trial.schedule import Blow, Round, rounds

HEALED_S = 3.0             # clients go on acting so long when no fault is left
DRAIN_TIMEOUT_S = 60.0
THINK_S = 0.7
GROUP_NODES = 2
ACCOUNT_TIMEOUT_S = 60


@dataclass
class Task:
    """What to do."""

    seed: int
    minutes: float
    faults: dict[str, Fault]
    clients: int
    command: str


@dataclass
class Outcome:
    """What the history does not tell: whether the trial came to its end, and what went wrong with
    the nodes' processes. All empty is what one wants."""

    broken: list[str] = field(default_factory=list)


class Drive:
    """One trial."""

    def __init__(self, ground: Field, task: Task) -> None:
        self.field = ground
        self.record = ground.record
        self.task = task
        self.outcome = Outcome()
        self.operator = Operator(ground, task.seed)
        self.password = secrets.token_urlsafe(12)
        self.crowd = Crowd(ground.cluster, self.record, task.seed,
                           Plan(task.clients, self.password, THINK_S))

    async def run(self) -> Outcome:
        """All of it. A cluster that does not heal ends it early."""
        try:
            await self._begin()
            await self._load()
            await self._heal()
            await self._end()
        except (NotHealed, LocalError, ControlError) as error:
            self.field.note(f"the trial ends early: {error!r}")
            self.outcome.broken.append(f"{error!r}")
        finally:
            await self.operator.stop()
        self.outcome.broken += (self.field.crashes + self.field.complaints()
                                + self.crowd.problems())
        return self.outcome

    # ------------------------------------------------------------ begin

    async def _begin(self) -> None:
        nodes = self.field.ids
        status = await self.field.reports()
        self.record.write(Run(
            self.record.now(), self.task.seed, nodes, self.task.minutes, sorted(self.task.faults),
            status[nodes[0]].get("version", ""), self.task.command, nodes,
            self._timer("lease_ms") / 1000, self._timer("resume_window_s")))
        await self.field.until_whole()
        await self._make_accounts()
        await self._make_groups()
        self.operator.begin()
        await self.crowd.arrive()

    def _timer(self, name: str) -> float:
        return self.field.cluster.settings["timers"][name]

    async def _make_accounts(self) -> None:
        """With the password of this run, also where a run before has made them."""
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as table:
            for account in self.crowd.accounts() + self.operator.accounts():
                table.write(f"{account},{self.password}\n")
            table.flush()
            said = await self.field.ctl("user", "import", table.name, timeout_s=ACCOUNT_TIMEOUT_S)
        if said.code != 0:
            raise LocalError(f"no accounts: {said.err}")

    async def _make_groups(self) -> None:
        """Two nodes each stand in for each other, if nobody has grouped them yet."""
        said = await self.field.ctl("group", "list", "--json")
        if said.code == 0 and said.json()["groups"]:
            return
        for first in range(0, len(self.field.ids), GROUP_NODES):
            name = f"group-{first // GROUP_NODES + 1}"
            await self._order("group", "create", name)
            nodes = self.field.ids[first:first + GROUP_NODES]
            for node_id in nodes:
                await self._order("group", "add-node", name, str(node_id))
            if len(nodes) == GROUP_NODES:
                await self._order("group", "enable", name)

    async def _order(self, *words: str) -> None:
        said = await self.field.ctl(*words)
        if said.code != 0:
            raise LocalError(f"{' '.join(words)}: {said.err}")

    # ------------------------------------------------------------ load

    async def _load(self) -> None:
        """Rounds, until the time is over and every fault had its turn."""
        self.record.phase("load")
        self.crowd.act()
        end = time.monotonic() + self.task.minutes * 60
        left = set(self.task.faults)
        draws = {name: fault.draw for name, fault in self.task.faults.items()}
        for one in rounds(self.task.seed, self.field.ids, draws):
            if time.monotonic() > end and not left:
                break
            await self._play(one)
            left -= {blow.fault for blow in one.blows}

    async def _play(self, one: Round) -> None:
        if one.waits:
            began = time.monotonic()
            await self.field.until_whole()
            self.record.say(f"whole again after {time.monotonic() - began:.1f} s more; "
                            f"{self._figures()}")
        await asyncio.sleep(one.calm_s)
        for blow in one.blows:
            self.record.say(f"round {one.number}: {blow}")
        results = await asyncio.gather(*(self._strike(blow) for blow in one.blows),
                                       return_exceptions=True)
        self.field.mend()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _strike(self, blow: Blow) -> None:
        await asyncio.sleep(blow.after_s)
        await self.task.faults[blow.fault].strike(self.field, blow)

    def _figures(self) -> str:
        counts = self.record.counts
        return (f"{counts.get('sent', 0)} sent, {counts.get('acked', 0)} acked, "
                f"{counts.get('got', 0)} got, {counts.get('operation', 0)} steps of operations")

    # ------------------------------------------------------------ end

    async def _heal(self) -> None:
        self.record.phase("heal")
        self.field.mend()
        await self.field.until_whole()
        await asyncio.sleep(HEALED_S)

    async def _end(self) -> None:
        self.record.phase("quiet")
        await self.crowd.rest()
        await self.crowd.drain(DRAIN_TIMEOUT_S)
        await ending.until_delivered(self.field)
        await self.operator.stop()
        self.record.phase("end")
        await ending.until_equal(self.field)
        await ending.record_sessions(self.field)
        self.outcome.broken += await ending.scrub(self.field)
        await self.crowd.leave()
