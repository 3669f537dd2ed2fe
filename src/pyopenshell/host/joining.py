"""`join`: this host has one sandbox, which is made at the first connection and is here the next time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.state import HostState
from pyopenshell.model import is_id
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.status import clean

JOIN_SANDBOX = "/pyopenshell.v1.Extension/JoinSandbox"
JOIN_TIMEOUT = 120.0  # seconds; the start of a sandbox on a slow machine is far below
#: A lost connection: the session is made again, and so is this.
PASSING = frozenset({Code.UNAVAILABLE, Code.BROKEN, Code.DEADLINE})


class Joining:
    """A companion of the session. `show` gets the lines that a person wants once the sandbox is there.

    What it raises is the gateway's refusal (CONFLICT: the name is taken), which no other attempt mends.
    """

    def __init__(self, state: HostState, name: str, show: Callable[[str], None]) -> None:
        self._state = state
        self._name = name
        self._show = show
        self._done = False

    async def __call__(self, channel: Channel) -> None:
        """Make the sandbox unless it is here, and say how it is reached."""
        host = self._state.load()
        if self._done or host is None:
            return
        if host.sandbox not in self._state.sandbox_ids():
            try:
                answer = await channel.unary(
                    JOIN_SANDBOX,
                    ext.JoinSandboxRequest(name=self._name),
                    ext.JoinSandboxResponse,
                    timeout=JOIN_TIMEOUT,
                )
            except StreamClosed:
                return
            except OpenShellError as error:
                if error.code in PASSING:
                    return
                raise
            made = answer.sandbox.metadata
            if not is_id(made.id):
                raise OpenShellError(Code.BROKEN, "the gateway answered with no sandbox")
            host = replace(host, sandbox=made.id, sandbox_name=clean(made.name))
            self._state.save(host)
        self._done = True
        self._show(f"sandbox {host.sandbox_name!r} is on this host, at gateway {host.gateway!r} ({host.addresses[0]})")
        self._show(f"users of that gateway reach it with: openshell sandbox connect {host.sandbox_name}")
