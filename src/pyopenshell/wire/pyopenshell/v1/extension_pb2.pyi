import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from pyopenshell.wire.openshell.v1 import openshell_pb2 as _openshell_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolledRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENROLLED_ROLE_UNSPECIFIED: _ClassVar[EnrolledRole]
    ENROLLED_ROLE_USER: _ClassVar[EnrolledRole]
    ENROLLED_ROLE_HOST: _ClassVar[EnrolledRole]
    ENROLLED_ROLE_PROXY: _ClassVar[EnrolledRole]
ENROLLED_ROLE_UNSPECIFIED: EnrolledRole
ENROLLED_ROLE_USER: EnrolledRole
ENROLLED_ROLE_HOST: EnrolledRole
ENROLLED_ROLE_PROXY: EnrolledRole

class Principal(_message.Message):
    __slots__ = ("role", "name", "scopes", "invited_by", "created_time", "expiration_time", "revoked_time", "invited")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    INVITED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKED_TIME_FIELD_NUMBER: _ClassVar[int]
    INVITED_FIELD_NUMBER: _ClassVar[int]
    role: EnrolledRole
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    invited_by: str
    created_time: _timestamp_pb2.Timestamp
    expiration_time: _timestamp_pb2.Timestamp
    revoked_time: _timestamp_pb2.Timestamp
    invited: bool
    def __init__(self, role: _Optional[_Union[EnrolledRole, str]] = ..., name: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., invited_by: _Optional[str] = ..., created_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., invited: _Optional[bool] = ...) -> None: ...

class GetAuthorityRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAuthorityResponse(_message.Message):
    __slots__ = ("certificate", "time")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    time: _timestamp_pb2.Timestamp
    def __init__(self, certificate: _Optional[bytes] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EnrolRequest(_message.Message):
    __slots__ = ("code", "signing_request", "name", "role")
    CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    code: str
    signing_request: bytes
    name: str
    role: EnrolledRole
    def __init__(self, code: _Optional[str] = ..., signing_request: _Optional[bytes] = ..., name: _Optional[str] = ..., role: _Optional[_Union[EnrolledRole, str]] = ...) -> None: ...

class EnrolResponse(_message.Message):
    __slots__ = ("certificate", "principal", "gateway")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    principal: Principal
    gateway: str
    def __init__(self, certificate: _Optional[bytes] = ..., principal: _Optional[_Union[Principal, _Mapping]] = ..., gateway: _Optional[str] = ...) -> None: ...

class RenewCertificateRequest(_message.Message):
    __slots__ = ("signing_request",)
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    signing_request: bytes
    def __init__(self, signing_request: _Optional[bytes] = ...) -> None: ...

class RenewCertificateResponse(_message.Message):
    __slots__ = ("certificate", "expiration_time")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    expiration_time: _timestamp_pb2.Timestamp
    def __init__(self, certificate: _Optional[bytes] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateInvitationRequest(_message.Message):
    __slots__ = ("role", "name", "scopes", "ttl")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    role: EnrolledRole
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    ttl: _duration_pb2.Duration
    def __init__(self, role: _Optional[_Union[EnrolledRole, str]] = ..., name: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CreateInvitationResponse(_message.Message):
    __slots__ = ("code", "fingerprint", "addresses", "expiration_time")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    code: str
    fingerprint: bytes
    addresses: _containers.RepeatedScalarFieldContainer[str]
    expiration_time: _timestamp_pb2.Timestamp
    def __init__(self, code: _Optional[str] = ..., fingerprint: _Optional[bytes] = ..., addresses: _Optional[_Iterable[str]] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListPrincipalsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPrincipalsResponse(_message.Message):
    __slots__ = ("principals",)
    PRINCIPALS_FIELD_NUMBER: _ClassVar[int]
    principals: _containers.RepeatedCompositeFieldContainer[Principal]
    def __init__(self, principals: _Optional[_Iterable[_Union[Principal, _Mapping]]] = ...) -> None: ...

class RevokePrincipalRequest(_message.Message):
    __slots__ = ("name", "role")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: EnrolledRole
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[EnrolledRole, str]] = ...) -> None: ...

class RevokePrincipalResponse(_message.Message):
    __slots__ = ("principal",)
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    principal: Principal
    def __init__(self, principal: _Optional[_Union[Principal, _Mapping]] = ...) -> None: ...

class HostMessage(_message.Message):
    __slots__ = ("hello", "heartbeat", "answer", "ended")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    hello: HostHello
    heartbeat: HostHeartbeat
    answer: HostAnswer
    ended: SandboxEnded
    def __init__(self, hello: _Optional[_Union[HostHello, _Mapping]] = ..., heartbeat: _Optional[_Union[HostHeartbeat, _Mapping]] = ..., answer: _Optional[_Union[HostAnswer, _Mapping]] = ..., ended: _Optional[_Union[SandboxEnded, _Mapping]] = ...) -> None: ...

class HostHello(_message.Message):
    __slots__ = ("version", "machine", "facts", "labels", "max_sandboxes", "joined", "sandbox_ids", "taken_ids")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MAX_SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_IDS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    version: str
    machine: str
    facts: _containers.ScalarMap[str, str]
    labels: _containers.ScalarMap[str, str]
    max_sandboxes: int
    joined: bool
    sandbox_ids: _containers.RepeatedScalarFieldContainer[str]
    taken_ids: _containers.RepeatedCompositeFieldContainer[IdRange]
    def __init__(self, version: _Optional[str] = ..., machine: _Optional[str] = ..., facts: _Optional[_Mapping[str, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., max_sandboxes: _Optional[int] = ..., joined: _Optional[bool] = ..., sandbox_ids: _Optional[_Iterable[str]] = ..., taken_ids: _Optional[_Iterable[_Union[IdRange, _Mapping]]] = ...) -> None: ...

class IdRange(_message.Message):
    __slots__ = ("first", "count")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first: int
    count: int
    def __init__(self, first: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class HostHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HostAnswer(_message.Message):
    __slots__ = ("order", "error", "message", "hint", "facts", "runs", "processes")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    order: int
    error: str
    message: str
    hint: str
    facts: _containers.ScalarMap[str, str]
    runs: bool
    processes: _containers.RepeatedCompositeFieldContainer[Process]
    def __init__(self, order: _Optional[int] = ..., error: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., facts: _Optional[_Mapping[str, str]] = ..., runs: _Optional[bool] = ..., processes: _Optional[_Iterable[_Union[Process, _Mapping]]] = ...) -> None: ...

class SandboxEnded(_message.Message):
    __slots__ = ("sandbox_id", "reason")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    reason: str
    def __init__(self, sandbox_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class GatewayOrder(_message.Message):
    __slots__ = ("accepted", "heartbeat", "order")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    accepted: HostAccepted
    heartbeat: HostHeartbeat
    order: Order
    def __init__(self, accepted: _Optional[_Union[HostAccepted, _Mapping]] = ..., heartbeat: _Optional[_Union[HostHeartbeat, _Mapping]] = ..., order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class HostAccepted(_message.Message):
    __slots__ = ("session_id", "name", "heartbeat_interval")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    name: str
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, session_id: _Optional[str] = ..., name: _Optional[str] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("id", "start", "adopt", "stop", "delete", "processes")
    ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    ADOPT_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    id: int
    start: HostedBirth
    adopt: HostedBirth
    stop: str
    delete: str
    processes: str
    def __init__(self, id: _Optional[int] = ..., start: _Optional[_Union[HostedBirth, _Mapping]] = ..., adopt: _Optional[_Union[HostedBirth, _Mapping]] = ..., stop: _Optional[str] = ..., delete: _Optional[str] = ..., processes: _Optional[str] = ...) -> None: ...

class HostedBirth(_message.Message):
    __slots__ = ("sandbox_id", "name", "spec", "token", "host_key", "id_base")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOST_KEY_FIELD_NUMBER: _ClassVar[int]
    ID_BASE_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    name: str
    spec: _openshell_pb2.SandboxSpec
    token: str
    host_key: str
    id_base: int
    def __init__(self, sandbox_id: _Optional[str] = ..., name: _Optional[str] = ..., spec: _Optional[_Union[_openshell_pb2.SandboxSpec, _Mapping]] = ..., token: _Optional[str] = ..., host_key: _Optional[str] = ..., id_base: _Optional[int] = ...) -> None: ...

class JoinSandboxRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class JoinSandboxResponse(_message.Message):
    __slots__ = ("sandbox",)
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    sandbox: _openshell_pb2.Sandbox
    def __init__(self, sandbox: _Optional[_Union[_openshell_pb2.Sandbox, _Mapping]] = ...) -> None: ...

class Host(_message.Message):
    __slots__ = ("name", "connected", "since", "address", "labels", "facts", "max_sandboxes", "sandboxes", "running", "draining", "joined", "unknown_sandbox_ids", "version")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    MAX_SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_SANDBOX_IDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    connected: bool
    since: _timestamp_pb2.Timestamp
    address: str
    labels: _containers.ScalarMap[str, str]
    facts: _containers.ScalarMap[str, str]
    max_sandboxes: int
    sandboxes: int
    running: int
    draining: bool
    joined: bool
    unknown_sandbox_ids: _containers.RepeatedScalarFieldContainer[str]
    version: str
    def __init__(self, name: _Optional[str] = ..., connected: _Optional[bool] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., address: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., facts: _Optional[_Mapping[str, str]] = ..., max_sandboxes: _Optional[int] = ..., sandboxes: _Optional[int] = ..., running: _Optional[int] = ..., draining: _Optional[bool] = ..., joined: _Optional[bool] = ..., unknown_sandbox_ids: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ...) -> None: ...

class ListHostsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListHostsResponse(_message.Message):
    __slots__ = ("hosts",)
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    hosts: _containers.RepeatedCompositeFieldContainer[Host]
    def __init__(self, hosts: _Optional[_Iterable[_Union[Host, _Mapping]]] = ...) -> None: ...

class DrainHostRequest(_message.Message):
    __slots__ = ("name", "undo")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNDO_FIELD_NUMBER: _ClassVar[int]
    name: str
    undo: bool
    def __init__(self, name: _Optional[str] = ..., undo: _Optional[bool] = ...) -> None: ...

class DrainHostResponse(_message.Message):
    __slots__ = ("host",)
    HOST_FIELD_NUMBER: _ClassVar[int]
    host: Host
    def __init__(self, host: _Optional[_Union[Host, _Mapping]] = ...) -> None: ...

class RemoveHostRequest(_message.Message):
    __slots__ = ("name", "force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    def __init__(self, name: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class RemoveHostResponse(_message.Message):
    __slots__ = ("sandboxes",)
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    sandboxes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sandboxes: _Optional[_Iterable[str]] = ...) -> None: ...

class PruneHostRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PruneHostResponse(_message.Message):
    __slots__ = ("sandbox_ids",)
    SANDBOX_IDS_FIELD_NUMBER: _ClassVar[int]
    sandbox_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sandbox_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("id", "name", "subject", "scopes", "created_time", "expiration_time", "revoked_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKED_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    subject: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    created_time: _timestamp_pb2.Timestamp
    expiration_time: _timestamp_pb2.Timestamp
    revoked_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., subject: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., created_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateTokenRequest(_message.Message):
    __slots__ = ("name", "scopes", "ttl")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    ttl: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CreateTokenResponse(_message.Message):
    __slots__ = ("token", "secret")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    token: Token
    secret: str
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTokensResponse(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RevokeTokenResponse(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: Token
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ...) -> None: ...

class Relay(_message.Message):
    __slots__ = ("channel_id", "sandbox_id", "sandbox", "target", "principal", "opened_time", "bytes_far", "bytes_near")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    OPENED_TIME_FIELD_NUMBER: _ClassVar[int]
    BYTES_FAR_FIELD_NUMBER: _ClassVar[int]
    BYTES_NEAR_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    sandbox_id: str
    sandbox: str
    target: str
    principal: str
    opened_time: _timestamp_pb2.Timestamp
    bytes_far: int
    bytes_near: int
    def __init__(self, channel_id: _Optional[str] = ..., sandbox_id: _Optional[str] = ..., sandbox: _Optional[str] = ..., target: _Optional[str] = ..., principal: _Optional[str] = ..., opened_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bytes_far: _Optional[int] = ..., bytes_near: _Optional[int] = ...) -> None: ...

class ListRelaysRequest(_message.Message):
    __slots__ = ("sandbox",)
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    sandbox: str
    def __init__(self, sandbox: _Optional[str] = ...) -> None: ...

class ListRelaysResponse(_message.Message):
    __slots__ = ("relays",)
    RELAYS_FIELD_NUMBER: _ClassVar[int]
    relays: _containers.RepeatedCompositeFieldContainer[Relay]
    def __init__(self, relays: _Optional[_Iterable[_Union[Relay, _Mapping]]] = ...) -> None: ...

class GetProcessesRequest(_message.Message):
    __slots__ = ("sandbox",)
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    sandbox: str
    def __init__(self, sandbox: _Optional[str] = ...) -> None: ...

class Process(_message.Message):
    __slots__ = ("kind", "pid", "start_time", "pss", "rss", "sockets")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Process.Kind]
        KIND_GATEWAY: _ClassVar[Process.Kind]
        KIND_ZYGOTE: _ClassVar[Process.Kind]
        KIND_SUPERVISOR: _ClassVar[Process.Kind]
        KIND_INIT: _ClassVar[Process.Kind]
    KIND_UNSPECIFIED: Process.Kind
    KIND_GATEWAY: Process.Kind
    KIND_ZYGOTE: Process.Kind
    KIND_SUPERVISOR: Process.Kind
    KIND_INIT: Process.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    PSS_FIELD_NUMBER: _ClassVar[int]
    RSS_FIELD_NUMBER: _ClassVar[int]
    SOCKETS_FIELD_NUMBER: _ClassVar[int]
    kind: Process.Kind
    pid: int
    start_time: int
    pss: int
    rss: int
    sockets: int
    def __init__(self, kind: _Optional[_Union[Process.Kind, str]] = ..., pid: _Optional[int] = ..., start_time: _Optional[int] = ..., pss: _Optional[int] = ..., rss: _Optional[int] = ..., sockets: _Optional[int] = ...) -> None: ...

class GetProcessesResponse(_message.Message):
    __slots__ = ("processes",)
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    processes: _containers.RepeatedCompositeFieldContainer[Process]
    def __init__(self, processes: _Optional[_Iterable[_Union[Process, _Mapping]]] = ...) -> None: ...
