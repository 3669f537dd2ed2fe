"""What the gateway asks of whatever makes sandboxes: the contract alone, no option and no default of any driver.

A driver makes, finds, stops and deletes sandboxes; it never talks to a supervisor. A sandbox is *started* when its init
serves and its supervisor was told everything: the supervisor then dials the gateway by itself, and its session (not the
driver) says that a command can run. Deaths are told through `on_exit`, once for each start, never for a death that the
driver was asked for.

The gateway's order of calls: `probe` before the first sandbox, `check` while it answers a create, `start` or `adopt`
(after its own restart, for each sandbox that should run), `stop`, `delete` (which stops first), `close` (which leaves
running sandboxes alone unless their lifetime is the gateway's).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.model import SandboxSpec

#: What a process of a sandbox is.
ProcessKind = Literal["zygote", "supervisor", "init"]


@dataclass(frozen=True, slots=True)
class Birth:
    """Everything that a sandbox and its supervisor are told when they start.

    `token` is the signed token of the sandbox, `host_key` its private SSH host key in OpenSSH's PEM form; both are
    secrets and absent from `repr`. The supervisor dials `remote` where that is set, else `gateway_socket`, the absolute path
    of a Unix socket.
    `id_base` is the first of the sandbox's 65,537 host ids where the gateway is root (the last is the supervisor's),
    otherwise 0.
    """

    sandbox_id: str
    name: str
    spec: SandboxSpec
    token: str = field(repr=False)
    host_key: str = field(repr=False)
    gateway_socket: str
    id_base: int = 0
    lifetime_gateway: bool = False
    remote: RemoteGateway | None = None


@dataclass(frozen=True, slots=True, order=True)
class ProcessName:
    """A process, named so that a reused pid is not taken for it; `start_time` is field 22 of proc_pid_stat(5)."""

    kind: ProcessKind
    pid: int
    start_time: int


#: Called as `on_exit(sandbox_id, reason)` in the gateway's event loop when a sandbox ended by itself; `reason` is one
#: line.
ExitCallback = Callable[[str, str], None]


class Driver(ABC):
    """Makes sandboxes. Every method may raise OpenShellError; the codes that a caller must tell apart are named."""

    name: str
    on_exit: ExitCallback | None = None

    @abstractmethod
    async def probe(self) -> Mapping[str, str]:
        """Make a whole throw-away sandbox and return what it found: `{"isolation": "range", "system": "overlay", ...}`.

        Raises PRECONDITION that names the step that failed, with its cure as the hint. The answer may be kept.
        """

    @abstractmethod
    def check(self, spec: SandboxSpec) -> None:
        """Raise PRECONDITION for a limit that this machine cannot hold (unless best effort), INVALID for a bad source."""

    @abstractmethod
    async def start(self, birth: Birth) -> Mapping[str, str]:
        """Make the sandbox, or start a stopped one again on its own files, and return its facts, as `probe` names them.

        Raises CONFLICT where it runs already, PRECONDITION or UNAVAILABLE with the step that failed; nothing half-made
        stays but the workspace.
        """

    @abstractmethod
    async def adopt(self, birth: Birth) -> bool:
        """Take over a sandbox that may run already; True when it does, and then a supervisor of it lives.

        The gateway calls it after its own restart. A supervisor that died is replaced. False: nothing runs.
        """

    @abstractmethod
    async def stop(self, sandbox_id: str) -> None:
        """Ask the main process to end (SIGTERM to its process group) and give it some seconds, end every process of the
        sandbox, and return when its namespaces are gone. Of a stopped or unknown one: nothing. Raises DEADLINE where a
        process cannot be ended; asked again, it is not waited for.
        """

    @abstractmethod
    async def delete(self, sandbox_id: str) -> None:
        """Stop the sandbox, with less patience, and remove all its files. Of an unknown one: nothing. Raises as `stop`."""

    @abstractmethod
    async def processes(self, sandbox_id: str = "") -> list[ProcessName]:
        """The live processes of one sandbox (supervisor, init); with no id, the driver's own (zygote)."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; running sandboxes run on unless `lifetime_gateway` was set. Idempotent."""
