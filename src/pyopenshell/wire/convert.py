"""Between protobuf messages and the words of `model`: the one place where a request's shape is judged.

What a message asks for and this project does not do is refused by name, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from pyopenshell.errors import EXIT_TIMEOUT, Code, OpenShellError
from pyopenshell.model import (
    DEFAULT_WORKSPACE,
    AcceptTarget,
    ExecSpec,
    ExecTarget,
    FilesTarget,
    ListenTarget,
    PortsTarget,
    Probe,
    ProbeTarget,
    SshTarget,
    Target,
    TcpTarget,
    TerminalSize,
    UdpTarget,
    check_name,
)
from pyopenshell.wire.openshell.datamodel.v1.datamodel_pb2 import WorkspaceSelector
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import clean

#: Longest text of a process that could not start: a path and a reason.
START_ERROR_MAX = 4096

_PROBES = {
    pb.ProbeTarget.SERVICE_ECHO: Probe.ECHO,
    pb.ProbeTarget.SERVICE_DISCARD: Probe.DISCARD,
    pb.ProbeTarget.SERVICE_GENERATE: Probe.GENERATE,
}

# --- targets ------------------------------------------------------------------------------------------------------


def target_of(message: pb.TcpForwardInit | pb.RelayOpen | pb.SessionTarget) -> Target | None:
    """The target that `message` names; None where none is set. Raises INVALID for one that may not be dialled."""
    kind = message.WhichOneof("target")
    if kind == "ssh":
        key = message.ssh.ssh_authorized_key
        if isinstance(message, pb.TcpForwardInit):
            key = message.ssh_authorized_key or key
        return SshTarget(key)
    if kind == "tcp":
        return TcpTarget(message.tcp.host, message.tcp.port)
    if kind == "exec":
        return ExecTarget()
    if kind == "files":
        return FilesTarget()
    if isinstance(message, pb.SessionTarget):
        return None
    return _target_of_ours(message, kind)


def _target_of_ours(message: pb.TcpForwardInit | pb.RelayOpen, kind: str | None) -> Target | None:
    match kind:
        case "udp":
            return UdpTarget(message.udp.host, message.udp.port)
        case "listen":
            asked = message.listen
            return ListenTarget(asked.port, asked.max_connections, asked.per_minute)
        case "accept":
            return AcceptTarget(message.accept.id)
        case "probe":
            service = _PROBES.get(message.probe.service)
            if service is None:
                raise OpenShellError(Code.INVALID, f"a probe of service {message.probe.service} is not known")
            return ProbeTarget(service, message.probe.bytes)
        case "ports":
            return PortsTarget(message.ports.watch)
        case _:
            return None


def put_target(message: pb.TcpForwardInit | pb.RelayOpen | pb.SessionTarget, target: Target) -> None:
    """Set the target of `message`. Raises INVALID for one of ours in a SessionTarget: they take no token."""
    if isinstance(target, SshTarget):
        message.ssh.SetInParent()
        if target.authorized_key:
            message.ssh.ssh_authorized_key = target.authorized_key
            if isinstance(message, pb.TcpForwardInit):
                message.ssh_authorized_key = target.authorized_key
    elif isinstance(target, TcpTarget):
        message.tcp.host, message.tcp.port = target.host, target.port
    elif isinstance(message, pb.SessionTarget):
        raise OpenShellError(Code.INVALID, f"a token cannot be bound to the target {target}")
    else:
        _put_target_of_ours(message, target)


def _put_target_of_ours(message: pb.TcpForwardInit | pb.RelayOpen, target: Target) -> None:
    match target:
        case ExecTarget():
            message.exec.SetInParent()
        case FilesTarget():
            message.files.SetInParent()
        case UdpTarget():
            message.udp.host, message.udp.port = target.host, target.port
        case ListenTarget():
            asked = message.listen
            asked.port, asked.max_connections, asked.per_minute = target.port, target.max_connections, target.per_minute
        case AcceptTarget():
            message.accept.id = target.id
        case ProbeTarget():
            message.probe.service = next(number for number, service in _PROBES.items() if service is target.service)
            message.probe.bytes = target.size
        case PortsTarget():
            message.ports.watch = target.watch
            message.ports.SetInParent()


def workspace_of(selector: WorkspaceSelector | str) -> str:
    """The workspace that a request names; empty is `default`. Raises INVALID for a bad name, NOT_FOUND for another."""
    name = selector if isinstance(selector, str) else selector.workspace
    if not name or name == DEFAULT_WORKSPACE:
        return DEFAULT_WORKSPACE
    check_name(name, "workspace")
    raise OpenShellError(
        Code.NOT_FOUND, f"workspace {name!r} does not exist", hint=f"this gateway has {DEFAULT_WORKSPACE!r} alone"
    )


# --- commands -----------------------------------------------------------------------------------------------------


def exec_start(spec: ExecSpec) -> pb.ExecStart:
    """The first frame of an exec stream. Raises INVALID for an environment name that is not UTF-8."""
    size = spec.terminal or TerminalSize(0, 0)
    return pb.ExecStart(
        argv=[_bytes(argument) for argument in spec.argv],
        environment={_utf8(key): _bytes(value) for key, value in spec.env.items()},
        workdir=_bytes(spec.workdir),
        login=spec.login,
        tty=spec.terminal is not None,
        cols=size.cols,
        rows=size.rows,
        timeout_ms=round(spec.timeout * 1000),
    )


def exec_spec(start: pb.ExecStart) -> ExecSpec:
    """What an ExecStart asks for. Raises INVALID that names the limit."""
    return ExecSpec(
        argv=tuple(_text(argument) for argument in start.argv),
        env={key: _text(value) for key, value in start.environment.items()},
        workdir=_text(start.workdir),
        login=start.login,
        terminal=_terminal(start.cols, start.rows) if start.tty else None,
        timeout=start.timeout_ms / 1000,
    )


def exec_request_spec(request: pb.ExecSandboxRequest) -> ExecSpec:
    """What an ExecSandboxRequest asks for. Raises INVALID."""
    return ExecSpec(
        argv=tuple(request.command),
        env=dict(request.environment),
        workdir=request.workdir,
        login=not request.no_login_shell,
        terminal=_terminal(request.cols, request.rows) if request.tty else None,
        timeout=seconds_of_duration(request.execution_timeout),
    )


def exit_status(how: pb.ExecExit) -> int:
    """The exit code for a shell: the command's own, 128+n for a signal, 124 for a timeout.

    Raises PRECONDITION with the reason when the command never ran, BROKEN for a message that says nothing.
    """
    kind = how.WhichOneof("how")
    if kind == "code":
        return how.code
    if kind == "signal":
        return 128 + how.signal
    if kind == "timed_out":
        return EXIT_TIMEOUT
    if kind == "start_error":
        raise OpenShellError(Code.PRECONDITION, clean(how.start_error, START_ERROR_MAX))
    raise OpenShellError(Code.BROKEN, "the sandbox did not say how the command ended")


def _terminal(cols: int, rows: int) -> TerminalSize:
    """A size as 16-bit numbers (TIOCSWINSZ); what is 0 takes the usual value."""
    usual = TerminalSize()
    return TerminalSize(min(cols, 0xFFFF) or usual.cols, min(rows, 0xFFFF) or usual.rows)


def _bytes(text: str) -> bytes:
    """The bytes that `text` stands for, as os.fsencode on a UTF-8 system whatever this one's locale is."""
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _utf8(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise OpenShellError(Code.INVALID, f"environment name {name!r} is not valid UTF-8") from None
    return name


# --- time ---------------------------------------------------------------------------------------------------------


def timestamp(seconds: float) -> Timestamp:
    """A Timestamp for seconds since the epoch."""
    stamp = Timestamp()
    stamp.FromNanoseconds(round(seconds * 1_000_000) * 1000)
    return stamp


def seconds_of_timestamp(stamp: Timestamp) -> float:
    """Seconds since the epoch, to the microsecond; an absent Timestamp is 0."""
    return stamp.seconds + stamp.nanos // 1000 / 1e6


def duration(seconds: float) -> Duration:
    """A Duration of so many seconds."""
    span = Duration()
    span.FromNanoseconds(round(seconds * 1_000_000) * 1000)
    return span


def seconds_of_duration(span: Duration) -> float:
    """Seconds; an absent Duration is 0."""
    return span.seconds + span.nanos / 1e9


# --- features -----------------------------------------------------------------------------------------------------


def common_features(*announced: Iterable[int]) -> frozenset[int]:
    """What all sides announced (fields 1010). A number that is not known to one of them is not in it."""
    sets = [frozenset(numbers) for numbers in announced]
    return frozenset.intersection(*sets) if sets else frozenset()
