"""The words that every room shares: names, targets, phases, outcomes, and the records built of them.

A `Target` is checked where it is built and nowhere else, so a room that holds one need not ask again.
Nothing here knows protobuf, a socket or a clock.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from pyopenshell.errors import Code, OpenShellError

NAME_MAX = 63  # a DNS label, RFC 1035 section 2.3.4
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,252}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
DEFAULT_WORKSPACE = "default"

PORT_MAX = 65535
LISTEN_LIMIT_MAX = (
    1000  # connections of a reverse listener, at once or in a minute: a sandbox's ceiling for granted tokens
)
PROBE_MAX = 64 * 1024**3  # bytes that a speed test asks for: a minute at 8 Gbit/s
ARGV_MAX = 1024  # arguments of one command
ARGUMENT_MAX = 128 * 1024 - 1  # bytes of one argument: MAX_ARG_STRLEN of Linux less its NUL
ARGV_ENV_MAX = 1024 * 1024  # bytes of argv and environment together, each with its NUL


def check_name(name: str, what: str = "name") -> str:
    """Return `name` when it is a lower-case DNS label of at most 63 characters; raise INVALID otherwise."""
    if not _NAME.fullmatch(name):
        raise OpenShellError(
            Code.INVALID,
            f"{what} {name[:80]!r} is not valid",
            hint=f"use a-z, 0-9 and '-', not at either end, at most {NAME_MAX} characters",
        )
    return name


def check_label(key: str, value: str) -> None:
    """Raise INVALID unless `key` and `value` have the shape of a Kubernetes label."""
    if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        raise OpenShellError(Code.INVALID, f"label {key[:80]!r}={value[:80]!r} is not valid", hint="see --help")


def new_id() -> str:
    """A random UUID (version 4) in its canonical text form."""
    return str(uuid.uuid4())


def is_id(text: str) -> bool:
    """Whether `text` is a UUID in canonical form, so that it names a thing by id and not by name."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


# --- targets: what a relay may be asked to dial -------------------------------------------------------------------


def parse_loopback(host: str) -> str:
    """Return the loopback address that `host` names: an IP literal of 127.0.0.0/8 or ::1, or `localhost`.

    The answer is what is dialled, so a name is never looked up. IPv4-mapped IPv6 is unwrapped first. Raises INVALID.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            address = None
        elif address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    if address is None or not address.is_loopback:
        raise OpenShellError(
            Code.INVALID, f"target host {host[:80]!r} is not a loopback address", hint="use 127.0.0.1, ::1 or localhost"
        )
    return str(address)


def check_port(port: int, what: str = "port") -> int:
    """Return `port` when it is 1..65535; raise INVALID otherwise."""
    if not 1 <= port <= PORT_MAX:
        raise OpenShellError(Code.INVALID, f"{what} {port} is out of range", hint=f"use 1 to {PORT_MAX}")
    return port


def parse_bind(text: str) -> tuple[str, int | None]:
    """(address, port or None) of `ADDR`, `ADDR:PORT` or `[ADDR]:PORT`, ADDR being an IP literal to listen on; 0 is any port.

    Raises INVALID.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]+)", text, re.ASCII)
    try:
        address = ipaddress.ip_address((found[1] or found[2] or found[4]) if found else "")
        port = int(found[3]) if found and found[3] else None
        if (port or 0) <= PORT_MAX:
            return str(address), port
    except ValueError:
        pass
    raise OpenShellError(
        Code.INVALID, f"{text[:80]!r} is nowhere to listen", hint="use ADDRESS:PORT, as 0.0.0.0:17670 or [::]:17670"
    )


@dataclass(frozen=True, slots=True)
class SshTarget:
    """The sandbox's SSH server. `authorized_key` is one OpenSSH public key line, or empty for `none`."""

    authorized_key: str = ""

    def __str__(self) -> str:
        return "ssh"


@dataclass(frozen=True, slots=True)
class TcpTarget:
    """A TCP port on the sandbox's own loopback."""

    host: str
    port: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", parse_loopback(self.host))
        check_port(self.port, "target port")

    def __str__(self) -> str:
        return f"tcp [{self.host}]:{self.port}" if ":" in self.host else f"tcp {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ExecTarget:
    """A command; which one is the first frame of the stream."""

    def __str__(self) -> str:
        return "exec"


@dataclass(frozen=True, slots=True)
class FilesTarget:
    """The file side of the sandbox."""

    def __str__(self) -> str:
        return "files"


@dataclass(frozen=True, slots=True)
class UdpTarget:
    """A UDP port on the sandbox's own loopback."""

    host: str
    port: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", parse_loopback(self.host))
        check_port(self.port, "target port")

    def __str__(self) -> str:
        return f"udp [{self.host}]:{self.port}" if ":" in self.host else f"udp {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ListenTarget:
    """A listener on the sandbox's loopback, whose connections somebody outside serves.

    At most `max_connections` at once and `per_minute` new ones in any minute.
    """

    port: int
    max_connections: int = 16
    per_minute: int = 120

    def __post_init__(self) -> None:
        check_port(self.port, "port to listen on")
        for limit in (self.max_connections, self.per_minute):
            if not 1 <= limit <= LISTEN_LIMIT_MAX:
                raise OpenShellError(Code.INVALID, f"a limit of {limit} is not within 1 to {LISTEN_LIMIT_MAX}")

    def __str__(self) -> str:
        return f"listen {self.port}"


@dataclass(frozen=True, slots=True)
class AcceptTarget:
    """A connection that a `ListenTarget` announced under this id."""

    id: str

    def __post_init__(self) -> None:
        if not is_id(self.id):
            raise OpenShellError(Code.INVALID, "the connection to accept has no valid id")

    def __str__(self) -> str:
        return "accept"


class Probe(StrEnum):
    """A service of the supervisor itself: echo (RFC 862), discard (RFC 863), generate (RFC 864)."""

    ECHO = "echo"
    DISCARD = "discard"
    GENERATE = "generate"


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """The supervisor itself, to measure the way to it. `size` is how many bytes GENERATE makes."""

    service: Probe
    size: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.size <= PROBE_MAX:
            raise OpenShellError(Code.INVALID, f"a probe of {self.size} bytes is not within 0 to {PROBE_MAX}")

    def __str__(self) -> str:
        return f"probe {self.service.value}"


@dataclass(frozen=True, slots=True)
class PortsTarget:
    """What listens in the sandbox; with `watch` each change too."""

    watch: bool = False

    def __str__(self) -> str:
        return "ports"


Target = (
    SshTarget
    | TcpTarget
    | ExecTarget
    | FilesTarget
    | UdpTarget
    | ListenTarget
    | AcceptTarget
    | ProbeTarget
    | PortsTarget
)


# --- commands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """Columns and rows of a terminal, as in TIOCSWINSZ (ioctl_tty(2))."""

    cols: int = 80
    rows: int = 24


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """What to run: checked where it is built, so that no later room meets an impossible command.

    `argv` and `env` are text, UTF-8 with surrogateescape for what is not. `timeout` is seconds, 0 for none. Raises
    INVALID that names the limit.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    login: bool = False
    terminal: TerminalSize | None = None
    timeout: float = 0.0

    def __post_init__(self) -> None:
        check_command(self.argv, self.env)
        if "\0" in self.workdir:
            raise OpenShellError(Code.INVALID, "the working directory holds a NUL byte")
        if self.workdir and not self.workdir.startswith("/"):
            raise OpenShellError(Code.INVALID, f"working directory {self.workdir[:80]!r} is not absolute")
        if not self.timeout >= 0:
            raise OpenShellError(Code.INVALID, f"timeout {self.timeout} is negative")


def check_command(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Raise INVALID, naming the limit, unless argv and environment could be given to execve(2)."""
    if not argv or not argv[0]:
        raise OpenShellError(Code.INVALID, "no command was given", hint="put it behind '--'")
    if len(argv) > ARGV_MAX:
        raise OpenShellError(Code.INVALID, f"{len(argv)} arguments are over the limit of {ARGV_MAX}")
    total = 0
    for argument in argv:
        total += _checked_size(argument, "an argument")
    for key, value in env.items():
        if not key or "=" in key:
            raise OpenShellError(Code.INVALID, f"environment name {key[:80]!r} is not valid")
        total += _checked_size(f"{key}={value}", f"environment variable {key[:80]!r}")
    if total > ARGV_ENV_MAX:
        raise OpenShellError(
            Code.INVALID, f"argv and environment are {total} bytes, over the limit of {ARGV_ENV_MAX} bytes"
        )


def _checked_size(text: str, what: str) -> int:
    if "\0" in text:
        raise OpenShellError(Code.INVALID, f"{what} holds a NUL byte")
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > ARGUMENT_MAX:
        raise OpenShellError(Code.INVALID, f"{what} is {size} bytes, over the limit of {ARGUMENT_MAX} bytes")
    return size + 1


# --- states -------------------------------------------------------------------------------------------------------


class Phase(IntEnum):
    """Phase of a sandbox; the numbers are those of `SandboxPhase` on the wire."""

    UNSPECIFIED = 0
    PROVISIONING = 1
    READY = 2
    ERROR = 3
    DELETING = 4
    UNKNOWN = 5
    STOPPING = 6
    STOPPED = 7
    STARTING = 8
    COMPLETED = 9

    @property
    def label(self) -> str:
        """The word shown to people: `Ready`, `Completed`."""
        return self.name.capitalize()


class Outcome(StrEnum):
    """How a relay ended."""

    COMPLETED = "completed"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    TARGET_FAILED = "target_failed"
    BROKEN_NEAR = "broken_near"
    BROKEN_FAR = "broken_far"
    REVOKED = "revoked"


class Role(StrEnum):
    """What a principal is: the person who owns the gateway, a user (by token or certificate), one sandbox's supervisor, or
    a host that runs sandboxes.
    """

    ADMIN = "admin"
    USER = "user"
    SUPERVISOR = "supervisor"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, after authentication. `sandbox_id` is set for a supervisor alone; `scopes` empty means all.

    `expires_at` (seconds since the epoch) is the end of the credential, after which nothing that it opened goes on.
    `credential` is the id of what can be revoked (a token, an enrolment), by which all that it opened is cut; a name may be
    given again, an id never is. Empty: it cannot be revoked.
    """

    subject: str
    role: Role
    scopes: frozenset[str] = frozenset()
    sandbox_id: str = ""
    provider: str = "mtls"
    expires_at: float | None = None
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of a sandbox: `cpu` in cores (0 = none), `memory` in bytes (0 = none)."""

    cpu: float = 0.0
    memory: int = 0
    best_effort: bool = False


#: The gateway's own machine, where a placement names a host.
HERE = "here"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a sandbox is to run: on the host of this name (HERE: the gateway's own machine) whose labels hold all of these.

    Empty: where the gateway likes.
    """

    host: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What was asked for. `source` is empty (the host's view), `dir:/path` or `tar:/path`; no command = idle."""

    source: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    command: tuple[str, ...] = ()
    limits: Limits = Limits()
    log_level: str = ""
    placement: Placement = Placement()
