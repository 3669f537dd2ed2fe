"""What the zygote imports before it forks: the code of each kind of child, by name, and the memory that this leaves.

A page that a child only reads is one for all; a page that it writes to is its own, and Python writes to whatever it touches
(reference counts). So what is imported once is cheap, and what children write to without need is what counts.
"""

from __future__ import annotations

import gc
import importlib
import socket
import sys
from collections.abc import Callable, Mapping

from pyopenshell.drivers.orders import OrderKind
from pyopenshell.linux import memory

#: What runs in a fork, called with the child's socket and the trusted descriptors of its order socket; its answer is
#: the exit status.
Entry = Callable[[socket.socket, list[int]], int]

#: Where each kind of child begins. By name, because a zygote imports its children's code and none of that imports it.
ENTRIES: dict[OrderKind, tuple[str, str]] = {
    OrderKind.INIT: ("pyopenshell.supervisor.init", "born"),
    OrderKind.SUPERVISOR: ("pyopenshell.supervisor.main", "born"),
    OrderKind.TASK: ("pyopenshell.supervisor.task", "born"),
    OrderKind.SSH: ("pyopenshell.supervisor.ssh_child", "born"),
}


def load(entries: Mapping[OrderKind, tuple[str, str]] = ENTRIES) -> dict[OrderKind, Entry]:
    """Import the code of every kind of child, and let a module that has a `warm` load what it would load late."""
    modules = {kind: importlib.import_module(module) for kind, (module, _name) in entries.items()}
    for module in modules.values():
        warm = getattr(module, "warm", None)
        if warm is not None:
            warm()
    return {kind: getattr(modules[kind], name) for kind, (_module, name) in entries.items()}


def settle_memory() -> None:
    """What was imported is here to stay: out of the collector's sight, and what was only read given back.

    The caches of directories and of attribute lookups are emptied, because children would free them piece by piece, and
    write to the page of each piece.
    """
    sys.path_importer_cache.clear()
    gc.collect()
    gc.freeze()
    memory.drop_clean_pages()
    sys._clear_type_cache()
