"""What this supervisor and its init take, for who asks through the gateway (`openshell bench`).

Only root could read it from outside: neither process can be looked into (PR_SET_DUMPABLE 0). Each may read its own /proc
files, so each speaks for itself.
"""

from __future__ import annotations

import contextlib
import os
from typing import Protocol

from pyopenshell.errors import OpenShellError
from pyopenshell.linux import process
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


class Init(Protocol):
    """What is needed of `InitClient`."""

    async def usage(self) -> tuple[int, int]: ...


async def usage(init: Init) -> pb.Usage:
    """The figures of this moment; those that cannot be had are 0."""
    told = pb.Usage()
    with contextlib.suppress(OSError):
        used = process.memory(os.getpid())
        told.supervisor_pss, told.supervisor_rss = used.pss, used.rss
        told.supervisor_sockets = process.own_sockets()
    with contextlib.suppress(OpenShellError):
        told.init_pss, told.init_rss = await init.usage()
    return told
