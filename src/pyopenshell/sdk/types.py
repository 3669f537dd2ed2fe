"""What the SDK answers with: plain records of what a gateway said.

Text in them is a peer's: whoever shows it to a person cleans it first. Times are aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from pyopenshell.model import Phase
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox as the gateway sees it. `exit_code` is that of its main process, once there is one. `host` is the sandbox
    host it is placed on, empty for the gateway's own machine; `changed` is when its phase changed last.
    """

    id: str
    name: str
    phase: Phase
    reason: str = ""
    exit_code: int | None = None
    created: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    workdir: str = ""
    source: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    host_key: str = ""
    host_key_fingerprint: str = ""
    restart_count: int = 0
    host: str = ""
    changed: datetime | None = None

    @property
    def unreachable_since(self) -> datetime | None:
        """Since when nobody hears of it; None where it is heard of, or the time is not known."""
        return self.changed if self.phase is Phase.UNKNOWN else None

    @classmethod
    def of(cls, message: pb.Sandbox) -> Sandbox:
        status = message.status
        return cls(
            id=message.metadata.id,
            name=message.metadata.name,
            phase=phase_of(status.phase),
            reason=reason_of(status),
            exit_code=status.exit_code if status.HasField("exit_code") else None,
            created=moment(message.metadata, "created_time"),
            labels=dict(message.metadata.labels),
            command=tuple(message.spec.command),
            workdir=message.spec.workdir,
            source=message.spec.template.image,
            facts=dict(message.facts),
            host_key=message.host_key,
            host_key_fingerprint=message.host_key_fingerprint,
            restart_count=status.restart_count,
            host=message.host,
            changed=max(
                (at for one in status.conditions if (at := moment(one, "transition_time")) is not None), default=None
            ),
        )


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a sandbox's log."""

    time: datetime | None
    level: str
    source: str
    target: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, line: pb.SandboxLogLine) -> LogLine:
        return cls(moment(line, "event_time"), line.level, line.source, line.target, line.message, dict(line.fields))


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """Something that happened to a sandbox."""

    time: datetime | None
    source: str
    type: str
    reason: str
    message: str

    @classmethod
    def of(cls, event: pb.PlatformEvent) -> PlatformEvent:
        return cls(moment(event, "event_time"), event.source, event.type, event.reason, event.message)


@dataclass(frozen=True, slots=True)
class WatchWarning:
    """The gateway says that this watcher missed something; a fresh snapshot follows."""

    message: str


WatchEvent = Sandbox | LogLine | PlatformEvent | WatchWarning


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its secret."""

    id: str
    name: str
    subject: str
    scopes: tuple[str, ...]
    created: datetime | None
    expires: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, token: ext.Token) -> Token:
        return cls(
            token.id,
            token.name,
            token.subject,
            tuple(token.scopes),
            moment(token, "created_time"),
            moment(token, "expiration_time"),
            moment(token, "revoked_time"),
        )


@dataclass(frozen=True, slots=True)
class User:
    """Who the gateway takes us for."""

    subject: str
    display_name: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    identity_provider: str


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """What a gateway says about itself."""

    status: str
    version: str
    drivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """A process on the gateway's machine; `kind` is `gateway`, `zygote`, `supervisor`, `init` or `unspecified`.

    `pss` and `rss` are bytes, `sockets` a supervisor's TCP and Unix sockets; 0 where they are not known. A supervisor and an
    init speak for themselves.
    """

    kind: str
    pid: int
    start_time: int
    pss: int = 0
    rss: int = 0
    sockets: int = 0

    @classmethod
    def of(cls, message: ext.Process) -> Process:
        names = {value: name for name, value in ext.Process.Kind.items()}
        kind = names.get(message.kind, "KIND_UNSPECIFIED").removeprefix("KIND_").lower()
        return cls(kind, message.pid, message.start_time, message.pss, message.rss, message.sockets)


def moment(message: Message, name: str) -> datetime | None:
    """The Timestamp field `name` of `message`, None where it is absent or out of range."""
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    try:
        return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def phase_of(number: int) -> Phase:
    """A phase of a newer gateway that we do not know is UNKNOWN."""
    try:
        return Phase(number)
    except ValueError:
        return Phase.UNKNOWN


def reason_of(status: pb.SandboxStatus) -> str:
    """The message of the latest condition that has one; it says why the phase is what it is."""
    said = [condition for condition in status.conditions if condition.message]
    if not said:
        return ""
    return max(said, key=lambda condition: condition.transition_time.ToNanoseconds()).message


def watch_event(message: pb.SandboxStreamEvent) -> WatchEvent | None:
    """None for an event of a kind that we do not know."""
    match message.WhichOneof("payload"):
        case "sandbox":
            return Sandbox.of(message.sandbox)
        case "log":
            return LogLine.of(message.log)
        case "event":
            return PlatformEvent.of(message.event)
        case "warning":
            return WatchWarning(message.warning.message)
    return None
