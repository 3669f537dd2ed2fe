"""What a target becomes at the far end. The one place where a `Target` meets the sandbox.

    tcp  ── init connects inside the sandbox's network namespace and hands the socket out ── splice
    ssh  ── a child that enters the sandbox and serves SSH on one end of a socket pair   ── splice
    exec ── nothing to dial: the first frame says what to run                            ── exec_server
    ports ── nothing to dial: init is asked what listens                                 ── ports
    probe ── nothing to dial: the supervisor answers itself                               ── probe

A target was checked where it was built (loopback only), and init checks the address again before it connects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecTarget, Outcome, PortsTarget, ProbeTarget, SshTarget, Target, TcpTarget
from pyopenshell.streams.contract import ByteStream
from pyopenshell.streams.splice import Tally, splice
from pyopenshell.supervisor.exec_server import Tell, serve_exec
from pyopenshell.supervisor.init_client import SpawnClient
from pyopenshell.supervisor.ports import Radar, serve_ports

#: Starts an SSH child for one connection with this authorized key; the near end of its socket pair.
StartSsh = Callable[[str], Awaitable[ByteStream]]
#: Makes a stream of a connected socket.
Connect = Callable[[str, int], Awaitable[ByteStream]]


class Dialled(ABC):
    """A target that answered, not yet joined to a relay."""

    @abstractmethod
    async def run(self, near: ByteStream, tell: Tell) -> Outcome:
        """Serve the relay's stream to its end and close both; `tell` hears how a command ended.

        Raises nothing of its own; cancelled, it aborts both.
        """

    @abstractmethod
    def abort(self, reason: str) -> None:
        """Give the target up without a relay. Idempotent."""


class _Spliced(Dialled):
    """A byte stream: tcp, or an SSH child's socket."""

    def __init__(self, far: ByteStream) -> None:
        self._far = far

    async def run(self, near: ByteStream, tell: Tell) -> Outcome:  # noqa: ARG002 - no command ends here
        return await splice(near, self._far, Tally())

    def abort(self, reason: str) -> None:
        self._far.abort(reason)


class _Exec(Dialled):
    """A command that the stream itself will name."""

    def __init__(self, init: SpawnClient) -> None:
        self._init = init

    async def run(self, near: ByteStream, tell: Tell) -> Outcome:
        return await serve_exec(near, self._init, tell)

    def abort(self, reason: str) -> None:
        """Nothing was dialled."""


class _Ports(Dialled):
    """What listens inside."""

    def __init__(self, radar: Radar, watch: bool) -> None:
        self._radar = radar
        self._watch = watch

    async def run(self, near: ByteStream, tell: Tell) -> Outcome:  # noqa: ARG002 - no command ends here
        return await serve_ports(near, self._radar, watch=self._watch)

    def abort(self, reason: str) -> None:
        """Nothing was dialled."""


class _Probe(Dialled):
    """The supervisor itself."""

    def __init__(self, target: ProbeTarget) -> None:
        self._target = target

    async def run(self, near: ByteStream, tell: Tell) -> Outcome:  # noqa: ARG002 - no command ends here
        from pyopenshell.supervisor.probe import serve_probe  # most supervisors never need it

        return await serve_probe(near, self._target)

    def abort(self, reason: str) -> None:
        """Nothing was dialled."""


class Dialler:
    """Dials targets inside one sandbox."""

    def __init__(self, init: SpawnClient, connect: Connect, start_ssh: StartSsh) -> None:
        self._init = init
        self._connect = connect
        self._start_ssh = start_ssh
        self._radar = Radar(init.ports)

    async def dial(self, target: Target) -> Dialled:
        """Dial `target`. Raises UNAVAILABLE with the reason, PRECONDITION for a target of which this supervisor has none."""
        match target:
            case TcpTarget():
                return _Spliced(await self._connect(target.host, target.port))
            case SshTarget():
                return _Spliced(await self._start_ssh(target.authorized_key))
            case ExecTarget():
                return _Exec(self._init)
            case PortsTarget():
                return _Ports(self._radar, target.watch)
            case ProbeTarget():
                return _Probe(target)
            case _:
                raise OpenShellError(Code.PRECONDITION, f"this supervisor does not serve the target '{target}'")
