"""The kinds of faults, a file a family."""

from tools.trial.faults import links, processes
from tools.trial.faults.fault import Fault

ALL: dict[str, Fault] = {fault.name: fault for family in (processes, links)
                         for fault in family.FAULTS}
