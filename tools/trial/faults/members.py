"""Memberships: votes that move, nodes that leave and come back as new ones, data that is lost."""

import asyncio
import random
import shutil

from tools.trial.faults.fault import Fault
from tools.trial.field import Field
from tools.trial.history import Members
from tools.trial.schedule import Blow


def _draw_member(chance: random.Random, ids: list[int]) -> Blow:
    nodes = (chance.choice(ids),)
    shape = chance.choice(["vote", "leave and join", "killed and replaced"])
    return Blow("member", shape, nodes, chance.uniform(0, 4), frozenset(nodes))


async def _member(field: Field, blow: Blow) -> None:
    if blow.shape == "vote":
        await _move_vote(field, blow)
        return
    node_id = blow.nodes[0]
    if blow.shape == "killed and replaced":
        await field.kill(blow.nodes)
    else:
        await field.stop(node_id)
    number = field.began(blow.fault, blow.nodes, down=blow.nodes, detail=blow.shape)
    await field.remove(node_id)
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    await field.join(node_id)


async def _move_vote(field: Field, blow: Blow) -> None:
    """A voter becomes a standby. The leader, who wants five voters, gives it its vote back."""
    node_id = blow.nodes[0]
    said = await field.ctl("member", "assign", str(node_id), "standby")
    voters = [one for one in field.ids if one != node_id]
    field.record.write(Members(field.record.now(), voters, [node_id]))
    number = field.began(blow.fault, blow.nodes, detail=f"{blow.shape}: {said.err.strip()}")
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    await field.until_voter(node_id)
    field.record.write(Members(field.record.now(), field.ids))


def _draw_wipe(chance: random.Random, ids: list[int]) -> Blow:
    nodes = (chance.choice(ids),)
    shape = chance.choice(["all data", "the log"])
    return Blow("wipe", shape, nodes, chance.uniform(0, 4), frozenset(nodes))


async def _wipe(field: Field, blow: Blow) -> None:
    """A node without its data is not let in under its old membership, and gets a new one."""
    node_id = blow.nodes[0]
    await field.kill(blow.nodes)
    number = field.began(blow.fault, blow.nodes, down=blow.nodes, detail=blow.shape)
    data = field.data(node_id)
    for entry in data.iterdir():
        if entry.is_dir() and (blow.shape == "all data" or entry.name == "raft"):
            shutil.rmtree(entry)
    await asyncio.sleep(blow.length_s)
    field.ending(number)
    await field.remove(node_id)
    await field.join(node_id)


FAULTS = [
    Fault("member", "a vote taken away and given back; a node that leaves, or is killed and "
          "replaced, and joins as a new one", _draw_member, _member),
    Fault("wipe", "a node that lost its data, or its log alone", _draw_wipe, _wipe),
]
