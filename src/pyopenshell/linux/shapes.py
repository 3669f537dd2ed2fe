"""Which shape of isolation this machine lets us have: the first of the candidates whose user namespace can really be made.

Who we are says little: root of a rootless container has a handful of ids, root of another no CAP_SETUID, and newuidmap(1)
is without effect where set-user-id is. So each candidate's maps are written once, for a moment; for a range also what only
its supervisor and its files need is done: the change to its ids, and a clone of a mount. What is not lost thereby: a machine
that forbids user namespaces altogether refuses every candidate, and the reason for the first is what is told.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

from pyopenshell.linux import forks, steps, syscalls
from pyopenshell.linux.ids import Ids, Shape, candidates
from pyopenshell.linux.namespaces import make_user_namespace


@dataclass(frozen=True, slots=True)
class Found:
    """The best ids that can be had here. `because` says what stood against a better shape that was tried, "" for nothing."""

    ids: Ids
    because: str = ""


def find(base: int) -> Found:
    """Try the candidates; `base` is a free range of ids. Call it in a single-threaded process.

    Raises SetupFailed of the best candidate where none can be had.
    """
    refused: list[tuple[Shape, steps.SetupFailed]] = []
    for chosen in candidates(base):
        try:
            forks.call(partial(_take, chosen), "the trial of a shape")
        except steps.SetupFailed as failure:
            refused.append((chosen.shape, failure))
            continue
        return Found(chosen, "; ".join(f"no {shape}: {failure.step}: {failure.text}" for shape, failure in refused))
    raise refused[0][1]


def _take(ids: Ids) -> dict[str, str]:
    """Everything that only these ids need, in a child that ends afterwards."""
    os.close(make_user_namespace(ids))
    if ids.shape is Shape.RANGE:
        with steps.step(steps.SOURCES):
            os.close(syscalls.open_tree("/", syscalls.OPEN_TREE_CLONE))
        with steps.step(steps.ID_MAPS):
            file = os.memfd_create("trial", os.MFD_CLOEXEC)
            os.fchown(file, ids.host_uid(ids.init_uid), ids.host_gid(ids.init_gid))
            os.setgroups([])
            os.setresgid(ids.supervisor, ids.supervisor, ids.supervisor)
            os.setresuid(ids.supervisor, ids.supervisor, ids.supervisor)
    return {}
