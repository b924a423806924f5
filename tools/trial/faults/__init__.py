"""The kinds of faults, a file a family."""

from tools.trial.faults import clocks, links, members, orders, processes, storage
from tools.trial.faults.fault import Fault

ALL: dict[str, Fault] = {fault.name: fault
                         for family in (processes, links, storage, clocks, members, orders)
                         for fault in family.FAULTS}
