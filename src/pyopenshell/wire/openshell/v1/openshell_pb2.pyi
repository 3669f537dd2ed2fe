import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from pyopenshell.wire.openshell.datamodel.v1 import datamodel_pb2 as _datamodel_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServiceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_STATUS_UNSPECIFIED: _ClassVar[ServiceStatus]
    SERVICE_STATUS_HEALTHY: _ClassVar[ServiceStatus]
    SERVICE_STATUS_DEGRADED: _ClassVar[ServiceStatus]
    SERVICE_STATUS_UNHEALTHY: _ClassVar[ServiceStatus]

class SandboxRestartPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SANDBOX_RESTART_POLICY_UNSPECIFIED: _ClassVar[SandboxRestartPolicy]
    SANDBOX_RESTART_POLICY_NEVER: _ClassVar[SandboxRestartPolicy]
    SANDBOX_RESTART_POLICY_ON_FAILURE: _ClassVar[SandboxRestartPolicy]
    SANDBOX_RESTART_POLICY_ALWAYS: _ClassVar[SandboxRestartPolicy]

class ServiceAuthorizationMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_AUTHORIZATION_MODE_UNSPECIFIED: _ClassVar[ServiceAuthorizationMode]
    SERVICE_AUTHORIZATION_MODE_STRIP: _ClassVar[ServiceAuthorizationMode]
    SERVICE_AUTHORIZATION_MODE_BEARER_PASSTHROUGH: _ClassVar[ServiceAuthorizationMode]

class SandboxPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SANDBOX_PHASE_UNSPECIFIED: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_PROVISIONING: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_READY: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_ERROR: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_DELETING: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_UNKNOWN: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_STOPPING: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_STOPPED: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_STARTING: _ClassVar[SandboxPhase]
    SANDBOX_PHASE_COMPLETED: _ClassVar[SandboxPhase]

class DeletionOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELETION_OUTCOME_UNSPECIFIED: _ClassVar[DeletionOutcome]
    DELETION_OUTCOME_COMPLETED: _ClassVar[DeletionOutcome]
    DELETION_OUTCOME_ACCEPTED: _ClassVar[DeletionOutcome]
    DELETION_OUTCOME_ALREADY_ABSENT: _ClassVar[DeletionOutcome]
SERVICE_STATUS_UNSPECIFIED: ServiceStatus
SERVICE_STATUS_HEALTHY: ServiceStatus
SERVICE_STATUS_DEGRADED: ServiceStatus
SERVICE_STATUS_UNHEALTHY: ServiceStatus
SANDBOX_RESTART_POLICY_UNSPECIFIED: SandboxRestartPolicy
SANDBOX_RESTART_POLICY_NEVER: SandboxRestartPolicy
SANDBOX_RESTART_POLICY_ON_FAILURE: SandboxRestartPolicy
SANDBOX_RESTART_POLICY_ALWAYS: SandboxRestartPolicy
SERVICE_AUTHORIZATION_MODE_UNSPECIFIED: ServiceAuthorizationMode
SERVICE_AUTHORIZATION_MODE_STRIP: ServiceAuthorizationMode
SERVICE_AUTHORIZATION_MODE_BEARER_PASSTHROUGH: ServiceAuthorizationMode
SANDBOX_PHASE_UNSPECIFIED: SandboxPhase
SANDBOX_PHASE_PROVISIONING: SandboxPhase
SANDBOX_PHASE_READY: SandboxPhase
SANDBOX_PHASE_ERROR: SandboxPhase
SANDBOX_PHASE_DELETING: SandboxPhase
SANDBOX_PHASE_UNKNOWN: SandboxPhase
SANDBOX_PHASE_STOPPING: SandboxPhase
SANDBOX_PHASE_STOPPED: SandboxPhase
SANDBOX_PHASE_STARTING: SandboxPhase
SANDBOX_PHASE_COMPLETED: SandboxPhase
DELETION_OUTCOME_UNSPECIFIED: DeletionOutcome
DELETION_OUTCOME_COMPLETED: DeletionOutcome
DELETION_OUTCOME_ACCEPTED: DeletionOutcome
DELETION_OUTCOME_ALREADY_ABSENT: DeletionOutcome

class PeerRelayFrame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExecTarget(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FilesTarget(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UdpTarget(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class ListenTarget(_message.Message):
    __slots__ = ("port", "max_connections", "per_minute")
    PORT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    port: int
    max_connections: int
    per_minute: int
    def __init__(self, port: _Optional[int] = ..., max_connections: _Optional[int] = ..., per_minute: _Optional[int] = ...) -> None: ...

class AcceptTarget(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ProbeTarget(_message.Message):
    __slots__ = ("service", "bytes")
    class Service(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SERVICE_UNSPECIFIED: _ClassVar[ProbeTarget.Service]
        SERVICE_ECHO: _ClassVar[ProbeTarget.Service]
        SERVICE_DISCARD: _ClassVar[ProbeTarget.Service]
        SERVICE_GENERATE: _ClassVar[ProbeTarget.Service]
    SERVICE_UNSPECIFIED: ProbeTarget.Service
    SERVICE_ECHO: ProbeTarget.Service
    SERVICE_DISCARD: ProbeTarget.Service
    SERVICE_GENERATE: ProbeTarget.Service
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    service: ProbeTarget.Service
    bytes: int
    def __init__(self, service: _Optional[_Union[ProbeTarget.Service, str]] = ..., bytes: _Optional[int] = ...) -> None: ...

class PortsTarget(_message.Message):
    __slots__ = ("watch",)
    WATCH_FIELD_NUMBER: _ClassVar[int]
    watch: bool
    def __init__(self, watch: _Optional[bool] = ...) -> None: ...

class ListenEvent(_message.Message):
    __slots__ = ("listening", "accepted", "refused")
    class Listening(_message.Message):
        __slots__ = ("port",)
        PORT_FIELD_NUMBER: _ClassVar[int]
        port: int
        def __init__(self, port: _Optional[int] = ...) -> None: ...
    class Accepted(_message.Message):
        __slots__ = ("id", "process", "pid")
        ID_FIELD_NUMBER: _ClassVar[int]
        PROCESS_FIELD_NUMBER: _ClassVar[int]
        PID_FIELD_NUMBER: _ClassVar[int]
        id: str
        process: str
        pid: int
        def __init__(self, id: _Optional[str] = ..., process: _Optional[str] = ..., pid: _Optional[int] = ...) -> None: ...
    class Refused(_message.Message):
        __slots__ = ("count",)
        COUNT_FIELD_NUMBER: _ClassVar[int]
        count: int
        def __init__(self, count: _Optional[int] = ...) -> None: ...
    LISTENING_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    listening: ListenEvent.Listening
    accepted: ListenEvent.Accepted
    refused: ListenEvent.Refused
    def __init__(self, listening: _Optional[_Union[ListenEvent.Listening, _Mapping]] = ..., accepted: _Optional[_Union[ListenEvent.Accepted, _Mapping]] = ..., refused: _Optional[_Union[ListenEvent.Refused, _Mapping]] = ...) -> None: ...

class PortsSnapshot(_message.Message):
    __slots__ = ("ports", "truncated")
    PORTS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    ports: _containers.RepeatedCompositeFieldContainer[ListeningPort]
    truncated: bool
    def __init__(self, ports: _Optional[_Iterable[_Union[ListeningPort, _Mapping]]] = ..., truncated: _Optional[bool] = ...) -> None: ...

class ListeningPort(_message.Message):
    __slots__ = ("port", "address", "pid", "process", "udp")
    PORT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    UDP_FIELD_NUMBER: _ClassVar[int]
    port: int
    address: str
    pid: int
    process: str
    udp: bool
    def __init__(self, port: _Optional[int] = ..., address: _Optional[str] = ..., pid: _Optional[int] = ..., process: _Optional[str] = ..., udp: _Optional[bool] = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = ("id", "secret", "again", "received")
    ID_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    secret: bytes
    again: bool
    received: int
    def __init__(self, id: _Optional[bytes] = ..., secret: _Optional[bytes] = ..., again: _Optional[bool] = ..., received: _Optional[int] = ...) -> None: ...

class ResumeBinding(_message.Message):
    __slots__ = ("id", "binding", "again", "received")
    ID_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    binding: bytes
    again: bool
    received: int
    def __init__(self, id: _Optional[bytes] = ..., binding: _Optional[bytes] = ..., again: _Optional[bool] = ..., received: _Optional[int] = ...) -> None: ...

class MainProcessState(_message.Message):
    __slots__ = ("state", "instance_id", "error", "exit_code")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[MainProcessState.State]
        STATE_RUNNING: _ClassVar[MainProcessState.State]
        STATE_FAILED: _ClassVar[MainProcessState.State]
        STATE_EXITED: _ClassVar[MainProcessState.State]
    STATE_UNSPECIFIED: MainProcessState.State
    STATE_RUNNING: MainProcessState.State
    STATE_FAILED: MainProcessState.State
    STATE_EXITED: MainProcessState.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    state: MainProcessState.State
    instance_id: str
    error: str
    exit_code: int
    def __init__(self, state: _Optional[_Union[MainProcessState.State, str]] = ..., instance_id: _Optional[str] = ..., error: _Optional[str] = ..., exit_code: _Optional[int] = ...) -> None: ...

class ExecStart(_message.Message):
    __slots__ = ("argv", "environment", "workdir", "login", "tty", "cols", "rows", "timeout_ms")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    ARGV_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    WORKDIR_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    argv: _containers.RepeatedScalarFieldContainer[bytes]
    environment: _containers.ScalarMap[str, bytes]
    workdir: bytes
    login: bool
    tty: bool
    cols: int
    rows: int
    timeout_ms: int
    def __init__(self, argv: _Optional[_Iterable[bytes]] = ..., environment: _Optional[_Mapping[str, bytes]] = ..., workdir: _Optional[bytes] = ..., login: _Optional[bool] = ..., tty: _Optional[bool] = ..., cols: _Optional[int] = ..., rows: _Optional[int] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class ExecExit(_message.Message):
    __slots__ = ("code", "signal", "start_error", "timed_out")
    CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    START_ERROR_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    code: int
    signal: int
    start_error: str
    timed_out: bool
    def __init__(self, code: _Optional[int] = ..., signal: _Optional[int] = ..., start_error: _Optional[str] = ..., timed_out: _Optional[bool] = ...) -> None: ...

class ExecEnded(_message.Message):
    __slots__ = ("channel_id", "how")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    how: ExecExit
    def __init__(self, channel_id: _Optional[str] = ..., how: _Optional[_Union[ExecExit, _Mapping]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("supervisor_pss", "supervisor_rss", "supervisor_sockets", "init_pss", "init_rss")
    SUPERVISOR_PSS_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_RSS_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_SOCKETS_FIELD_NUMBER: _ClassVar[int]
    INIT_PSS_FIELD_NUMBER: _ClassVar[int]
    INIT_RSS_FIELD_NUMBER: _ClassVar[int]
    supervisor_pss: int
    supervisor_rss: int
    supervisor_sockets: int
    init_pss: int
    init_rss: int
    def __init__(self, supervisor_pss: _Optional[int] = ..., supervisor_rss: _Optional[int] = ..., supervisor_sockets: _Optional[int] = ..., init_pss: _Optional[int] = ..., init_rss: _Optional[int] = ...) -> None: ...

class SessionTarget(_message.Message):
    __slots__ = ("ssh", "tcp")
    SSH_FIELD_NUMBER: _ClassVar[int]
    TCP_FIELD_NUMBER: _ClassVar[int]
    ssh: SshRelayTarget
    tcp: TcpRelayTarget
    def __init__(self, ssh: _Optional[_Union[SshRelayTarget, _Mapping]] = ..., tcp: _Optional[_Union[TcpRelayTarget, _Mapping]] = ...) -> None: ...

class HealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthResponse(_message.Message):
    __slots__ = ("status", "version")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    status: ServiceStatus
    version: str
    def __init__(self, status: _Optional[_Union[ServiceStatus, str]] = ..., version: _Optional[str] = ...) -> None: ...

class GetCurrentUserRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCurrentUserResponse(_message.Message):
    __slots__ = ("subject", "display_name", "roles", "scopes", "identity_provider")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    subject: str
    display_name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    identity_provider: str
    def __init__(self, subject: _Optional[str] = ..., display_name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., scopes: _Optional[_Iterable[str]] = ..., identity_provider: _Optional[str] = ...) -> None: ...

class GetGatewayInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetGatewayInfoResponse(_message.Message):
    __slots__ = ("status", "gateway_version", "compute_drivers")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_DRIVERS_FIELD_NUMBER: _ClassVar[int]
    status: ServiceStatus
    gateway_version: str
    compute_drivers: _containers.RepeatedCompositeFieldContainer[ComputeDriverInfo]
    def __init__(self, status: _Optional[_Union[ServiceStatus, str]] = ..., gateway_version: _Optional[str] = ..., compute_drivers: _Optional[_Iterable[_Union[ComputeDriverInfo, _Mapping]]] = ...) -> None: ...

class ComputeDriverInfo(_message.Message):
    __slots__ = ("name", "capabilities")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    capabilities: ComputeDriverCapabilities
    def __init__(self, name: _Optional[str] = ..., capabilities: _Optional[_Union[ComputeDriverCapabilities, _Mapping]] = ...) -> None: ...

class ComputeDriverCapabilities(_message.Message):
    __slots__ = ("driver_name", "driver_version", "resource_capabilities")
    DRIVER_NAME_FIELD_NUMBER: _ClassVar[int]
    DRIVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    driver_name: str
    driver_version: str
    resource_capabilities: ResourceCapabilities
    def __init__(self, driver_name: _Optional[str] = ..., driver_version: _Optional[str] = ..., resource_capabilities: _Optional[_Union[ResourceCapabilities, _Mapping]] = ...) -> None: ...

class ResourceCapabilities(_message.Message):
    __slots__ = ("cpu", "memory", "gpu")
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    cpu: CpuResourceCapabilities
    memory: MemoryResourceCapabilities
    gpu: GpuResourceCapabilities
    def __init__(self, cpu: _Optional[_Union[CpuResourceCapabilities, _Mapping]] = ..., memory: _Optional[_Union[MemoryResourceCapabilities, _Mapping]] = ..., gpu: _Optional[_Union[GpuResourceCapabilities, _Mapping]] = ...) -> None: ...

class CpuResourceCapabilities(_message.Message):
    __slots__ = ("limit_supported",)
    LIMIT_SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    limit_supported: bool
    def __init__(self, limit_supported: _Optional[bool] = ...) -> None: ...

class MemoryResourceCapabilities(_message.Message):
    __slots__ = ("limit_supported",)
    LIMIT_SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    limit_supported: bool
    def __init__(self, limit_supported: _Optional[bool] = ...) -> None: ...

class GpuResourceCapabilities(_message.Message):
    __slots__ = ("default_selection_supported", "count_selection_supported")
    DEFAULT_SELECTION_SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    COUNT_SELECTION_SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    default_selection_supported: bool
    count_selection_supported: bool
    def __init__(self, default_selection_supported: _Optional[bool] = ..., count_selection_supported: _Optional[bool] = ...) -> None: ...

class CreateSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "spec", "name", "labels", "annotations", "await_main_process_attachment", "workload_template", "request_id", "service_exposures")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    AWAIT_MAIN_PROCESS_ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_EXPOSURES_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    spec: SandboxSpec
    name: str
    labels: _containers.ScalarMap[str, str]
    annotations: _containers.ScalarMap[str, str]
    await_main_process_attachment: bool
    workload_template: str
    request_id: str
    service_exposures: _containers.RepeatedCompositeFieldContainer[SandboxServiceExposure]
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., spec: _Optional[_Union[SandboxSpec, _Mapping]] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., annotations: _Optional[_Mapping[str, str]] = ..., await_main_process_attachment: _Optional[bool] = ..., workload_template: _Optional[str] = ..., request_id: _Optional[str] = ..., service_exposures: _Optional[_Iterable[_Union[SandboxServiceExposure, _Mapping]]] = ...) -> None: ...

class SandboxSpec(_message.Message):
    __slots__ = ("log_level", "environment", "template", "providers", "resource_requirements", "command", "tty", "provider_attachment_epoch", "restart_policy", "workdir", "limits_best_effort", "placement")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_REQUIREMENTS_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_ATTACHMENT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RESTART_POLICY_FIELD_NUMBER: _ClassVar[int]
    WORKDIR_FIELD_NUMBER: _ClassVar[int]
    LIMITS_BEST_EFFORT_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    log_level: str
    environment: _containers.ScalarMap[str, str]
    template: SandboxTemplate
    providers: _containers.RepeatedScalarFieldContainer[str]
    resource_requirements: ResourceRequirements
    command: _containers.RepeatedScalarFieldContainer[str]
    tty: bool
    provider_attachment_epoch: str
    restart_policy: SandboxRestartPolicy
    workdir: str
    limits_best_effort: bool
    placement: Placement
    def __init__(self, log_level: _Optional[str] = ..., environment: _Optional[_Mapping[str, str]] = ..., template: _Optional[_Union[SandboxTemplate, _Mapping]] = ..., providers: _Optional[_Iterable[str]] = ..., resource_requirements: _Optional[_Union[ResourceRequirements, _Mapping]] = ..., command: _Optional[_Iterable[str]] = ..., tty: _Optional[bool] = ..., provider_attachment_epoch: _Optional[str] = ..., restart_policy: _Optional[_Union[SandboxRestartPolicy, str]] = ..., workdir: _Optional[str] = ..., limits_best_effort: _Optional[bool] = ..., placement: _Optional[_Union[Placement, _Mapping]] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("host", "host_labels")
    class HostLabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOST_FIELD_NUMBER: _ClassVar[int]
    HOST_LABELS_FIELD_NUMBER: _ClassVar[int]
    host: str
    host_labels: _containers.ScalarMap[str, str]
    def __init__(self, host: _Optional[str] = ..., host_labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SandboxTemplate(_message.Message):
    __slots__ = ("image", "runtime_class_name", "agent_socket", "labels", "annotations", "environment", "resources", "user_namespaces", "driver_config")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_SOCKET_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    USER_NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    DRIVER_CONFIG_FIELD_NUMBER: _ClassVar[int]
    image: str
    runtime_class_name: str
    agent_socket: str
    labels: _containers.ScalarMap[str, str]
    annotations: _containers.ScalarMap[str, str]
    environment: _containers.ScalarMap[str, str]
    resources: _struct_pb2.Struct
    user_namespaces: bool
    driver_config: _struct_pb2.Struct
    def __init__(self, image: _Optional[str] = ..., runtime_class_name: _Optional[str] = ..., agent_socket: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., annotations: _Optional[_Mapping[str, str]] = ..., environment: _Optional[_Mapping[str, str]] = ..., resources: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., user_namespaces: _Optional[bool] = ..., driver_config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ResourceRequirements(_message.Message):
    __slots__ = ("gpu",)
    GPU_FIELD_NUMBER: _ClassVar[int]
    gpu: GpuResourceRequirements
    def __init__(self, gpu: _Optional[_Union[GpuResourceRequirements, _Mapping]] = ...) -> None: ...

class GpuResourceRequirements(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class SandboxServiceExposure(_message.Message):
    __slots__ = ("service", "target_port", "authorization_mode")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PORT_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_MODE_FIELD_NUMBER: _ClassVar[int]
    service: str
    target_port: int
    authorization_mode: ServiceAuthorizationMode
    def __init__(self, service: _Optional[str] = ..., target_port: _Optional[int] = ..., authorization_mode: _Optional[_Union[ServiceAuthorizationMode, str]] = ...) -> None: ...

class SandboxResponse(_message.Message):
    __slots__ = ("sandbox", "service_urls")
    class ServiceUrlsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    SERVICE_URLS_FIELD_NUMBER: _ClassVar[int]
    sandbox: Sandbox
    service_urls: _containers.ScalarMap[str, str]
    def __init__(self, sandbox: _Optional[_Union[Sandbox, _Mapping]] = ..., service_urls: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Sandbox(_message.Message):
    __slots__ = ("metadata", "spec", "status", "host_key_fingerprint", "created_from_workload_template", "facts", "host_key", "host")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HOST_KEY_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FROM_WORKLOAD_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    HOST_KEY_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    metadata: _datamodel_pb2.ObjectMeta
    spec: SandboxSpec
    status: SandboxStatus
    host_key_fingerprint: str
    created_from_workload_template: SandboxWorkloadTemplateProvenance
    facts: _containers.ScalarMap[str, str]
    host_key: str
    host: str
    def __init__(self, metadata: _Optional[_Union[_datamodel_pb2.ObjectMeta, _Mapping]] = ..., spec: _Optional[_Union[SandboxSpec, _Mapping]] = ..., status: _Optional[_Union[SandboxStatus, _Mapping]] = ..., host_key_fingerprint: _Optional[str] = ..., created_from_workload_template: _Optional[_Union[SandboxWorkloadTemplateProvenance, _Mapping]] = ..., facts: _Optional[_Mapping[str, str]] = ..., host_key: _Optional[str] = ..., host: _Optional[str] = ...) -> None: ...

class SandboxStatus(_message.Message):
    __slots__ = ("agent_pod", "agent_fd", "sandbox_fd", "conditions", "phase", "current_policy_version", "main_process_instance_id", "exit_code", "configuration_activated", "restart_count", "next_restart_time", "main_process_started_time")
    AGENT_POD_FIELD_NUMBER: _ClassVar[int]
    AGENT_FD_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FD_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAIN_PROCESS_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_RESTART_TIME_FIELD_NUMBER: _ClassVar[int]
    MAIN_PROCESS_STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    agent_pod: str
    agent_fd: str
    sandbox_fd: str
    conditions: _containers.RepeatedCompositeFieldContainer[SandboxCondition]
    phase: SandboxPhase
    current_policy_version: int
    main_process_instance_id: str
    exit_code: int
    configuration_activated: bool
    restart_count: int
    next_restart_time: _timestamp_pb2.Timestamp
    main_process_started_time: _timestamp_pb2.Timestamp
    def __init__(self, agent_pod: _Optional[str] = ..., agent_fd: _Optional[str] = ..., sandbox_fd: _Optional[str] = ..., conditions: _Optional[_Iterable[_Union[SandboxCondition, _Mapping]]] = ..., phase: _Optional[_Union[SandboxPhase, str]] = ..., current_policy_version: _Optional[int] = ..., main_process_instance_id: _Optional[str] = ..., exit_code: _Optional[int] = ..., configuration_activated: _Optional[bool] = ..., restart_count: _Optional[int] = ..., next_restart_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., main_process_started_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SandboxCondition(_message.Message):
    __slots__ = ("type", "status", "reason", "message", "transition_time")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRANSITION_TIME_FIELD_NUMBER: _ClassVar[int]
    type: str
    status: str
    reason: str
    message: str
    transition_time: _timestamp_pb2.Timestamp
    def __init__(self, type: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., transition_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SandboxWorkloadTemplateProvenance(_message.Message):
    __slots__ = ("name", "resource_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    resource_version: str
    def __init__(self, name: _Optional[str] = ..., resource_version: _Optional[str] = ...) -> None: ...

class GetSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "name")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class ListSandboxesRequest(_message.Message):
    __slots__ = ("workspace_scope", "page_size", "page_token", "label_selector")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    page_size: int
    page_token: str
    label_selector: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., label_selector: _Optional[str] = ...) -> None: ...

class ListSandboxesResponse(_message.Message):
    __slots__ = ("sandboxes", "next_page_token")
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sandboxes: _containers.RepeatedCompositeFieldContainer[Sandbox]
    next_page_token: str
    def __init__(self, sandboxes: _Optional[_Iterable[_Union[Sandbox, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "name", "allow_missing", "request_id")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    allow_missing: bool
    request_id: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ..., allow_missing: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteSandboxResponse(_message.Message):
    __slots__ = ("outcome", "sandbox_id")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    outcome: DeletionOutcome
    sandbox_id: str
    def __init__(self, outcome: _Optional[_Union[DeletionOutcome, str]] = ..., sandbox_id: _Optional[str] = ...) -> None: ...

class StopSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "name", "request_id")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    request_id: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "name", "request_id")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    request_id: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateSshSessionRequest(_message.Message):
    __slots__ = ("workspace_scope", "sandbox", "target", "max_connections")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    sandbox: str
    target: SessionTarget
    max_connections: int
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., sandbox: _Optional[str] = ..., target: _Optional[_Union[SessionTarget, _Mapping]] = ..., max_connections: _Optional[int] = ...) -> None: ...

class CreateSshSessionResponse(_message.Message):
    __slots__ = ("sandbox_id", "token", "gateway_host", "gateway_port", "gateway_scheme", "host_key_fingerprint", "expiration_time", "host_key", "max_connections")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_HOST_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_PORT_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_SCHEME_FIELD_NUMBER: _ClassVar[int]
    HOST_KEY_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    HOST_KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    token: str
    gateway_host: str
    gateway_port: int
    gateway_scheme: str
    host_key_fingerprint: str
    expiration_time: _timestamp_pb2.Timestamp
    host_key: str
    max_connections: int
    def __init__(self, sandbox_id: _Optional[str] = ..., token: _Optional[str] = ..., gateway_host: _Optional[str] = ..., gateway_port: _Optional[int] = ..., gateway_scheme: _Optional[str] = ..., host_key_fingerprint: _Optional[str] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., host_key: _Optional[str] = ..., max_connections: _Optional[int] = ...) -> None: ...

class RevokeSshSessionRequest(_message.Message):
    __slots__ = ("token", "allow_missing")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    token: str
    allow_missing: bool
    def __init__(self, token: _Optional[str] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class RevokeSshSessionResponse(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: DeletionOutcome
    def __init__(self, outcome: _Optional[_Union[DeletionOutcome, str]] = ...) -> None: ...

class ExecSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "sandbox", "command", "workdir", "environment", "execution_timeout", "stdin", "tty", "cols", "rows", "no_login_shell", "request_id")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    WORKDIR_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NO_LOGIN_SHELL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    sandbox: str
    command: _containers.RepeatedScalarFieldContainer[str]
    workdir: str
    environment: _containers.ScalarMap[str, str]
    execution_timeout: _duration_pb2.Duration
    stdin: bytes
    tty: bool
    cols: int
    rows: int
    no_login_shell: bool
    request_id: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., sandbox: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., workdir: _Optional[str] = ..., environment: _Optional[_Mapping[str, str]] = ..., execution_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., stdin: _Optional[bytes] = ..., tty: _Optional[bool] = ..., cols: _Optional[int] = ..., rows: _Optional[int] = ..., no_login_shell: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExecSandboxEvent(_message.Message):
    __slots__ = ("stdout", "stderr", "exit")
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    stdout: ExecSandboxStdout
    stderr: ExecSandboxStderr
    exit: ExecSandboxExit
    def __init__(self, stdout: _Optional[_Union[ExecSandboxStdout, _Mapping]] = ..., stderr: _Optional[_Union[ExecSandboxStderr, _Mapping]] = ..., exit: _Optional[_Union[ExecSandboxExit, _Mapping]] = ...) -> None: ...

class ExecSandboxStdout(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ExecSandboxStderr(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ExecSandboxExit(_message.Message):
    __slots__ = ("exit_code",)
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    exit_code: int
    def __init__(self, exit_code: _Optional[int] = ...) -> None: ...

class ExecSandboxInput(_message.Message):
    __slots__ = ("start", "stdin", "resize")
    START_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    RESIZE_FIELD_NUMBER: _ClassVar[int]
    start: ExecSandboxRequest
    stdin: bytes
    resize: ExecSandboxWindowResize
    def __init__(self, start: _Optional[_Union[ExecSandboxRequest, _Mapping]] = ..., stdin: _Optional[bytes] = ..., resize: _Optional[_Union[ExecSandboxWindowResize, _Mapping]] = ...) -> None: ...

class ExecSandboxWindowResize(_message.Message):
    __slots__ = ("cols", "rows")
    COLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    cols: int
    rows: int
    def __init__(self, cols: _Optional[int] = ..., rows: _Optional[int] = ...) -> None: ...

class TcpForwardFrame(_message.Message):
    __slots__ = ("init", "data", "end", "received")
    INIT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    init: TcpForwardInit
    data: bytes
    end: bool
    received: int
    def __init__(self, init: _Optional[_Union[TcpForwardInit, _Mapping]] = ..., data: _Optional[bytes] = ..., end: _Optional[bool] = ..., received: _Optional[int] = ...) -> None: ...

class TcpForwardInit(_message.Message):
    __slots__ = ("sandbox", "workspace", "service_id", "ssh", "tcp", "exec", "files", "udp", "listen", "accept", "probe", "ports", "authorization_token", "ssh_authorized_key", "features", "relay_id", "by_identity", "host_key", "resume")
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SSH_FIELD_NUMBER: _ClassVar[int]
    TCP_FIELD_NUMBER: _ClassVar[int]
    EXEC_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    UDP_FIELD_NUMBER: _ClassVar[int]
    LISTEN_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SSH_AUTHORIZED_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    RELAY_ID_FIELD_NUMBER: _ClassVar[int]
    BY_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    HOST_KEY_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    sandbox: str
    workspace: str
    service_id: str
    ssh: SshRelayTarget
    tcp: TcpRelayTarget
    exec: ExecTarget
    files: FilesTarget
    udp: UdpTarget
    listen: ListenTarget
    accept: AcceptTarget
    probe: ProbeTarget
    ports: PortsTarget
    authorization_token: str
    ssh_authorized_key: str
    features: _containers.RepeatedScalarFieldContainer[int]
    relay_id: str
    by_identity: bool
    host_key: str
    resume: Resume
    def __init__(self, sandbox: _Optional[str] = ..., workspace: _Optional[str] = ..., service_id: _Optional[str] = ..., ssh: _Optional[_Union[SshRelayTarget, _Mapping]] = ..., tcp: _Optional[_Union[TcpRelayTarget, _Mapping]] = ..., exec: _Optional[_Union[ExecTarget, _Mapping]] = ..., files: _Optional[_Union[FilesTarget, _Mapping]] = ..., udp: _Optional[_Union[UdpTarget, _Mapping]] = ..., listen: _Optional[_Union[ListenTarget, _Mapping]] = ..., accept: _Optional[_Union[AcceptTarget, _Mapping]] = ..., probe: _Optional[_Union[ProbeTarget, _Mapping]] = ..., ports: _Optional[_Union[PortsTarget, _Mapping]] = ..., authorization_token: _Optional[str] = ..., ssh_authorized_key: _Optional[str] = ..., features: _Optional[_Iterable[int]] = ..., relay_id: _Optional[str] = ..., by_identity: _Optional[bool] = ..., host_key: _Optional[str] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ...) -> None: ...

class SshRelayTarget(_message.Message):
    __slots__ = ("ssh_authorized_key",)
    SSH_AUTHORIZED_KEY_FIELD_NUMBER: _ClassVar[int]
    ssh_authorized_key: str
    def __init__(self, ssh_authorized_key: _Optional[str] = ...) -> None: ...

class TcpRelayTarget(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class ExposeServiceRequest(_message.Message):
    __slots__ = ("workspace_scope", "name", "target_port", "domain", "sandbox", "request_id", "authorization_mode")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TARGET_PORT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_MODE_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    target_port: int
    domain: bool
    sandbox: str
    request_id: str
    authorization_mode: ServiceAuthorizationMode
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ..., target_port: _Optional[int] = ..., domain: _Optional[bool] = ..., sandbox: _Optional[str] = ..., request_id: _Optional[str] = ..., authorization_mode: _Optional[_Union[ServiceAuthorizationMode, str]] = ...) -> None: ...

class ServiceEndpointResponse(_message.Message):
    __slots__ = ("endpoint", "url")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    endpoint: ServiceEndpoint
    url: str
    def __init__(self, endpoint: _Optional[_Union[ServiceEndpoint, _Mapping]] = ..., url: _Optional[str] = ...) -> None: ...

class ServiceEndpoint(_message.Message):
    __slots__ = ("metadata", "sandbox_id", "sandbox", "name", "target_port", "domain", "authorization_mode")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TARGET_PORT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_MODE_FIELD_NUMBER: _ClassVar[int]
    metadata: _datamodel_pb2.ObjectMeta
    sandbox_id: str
    sandbox: str
    name: str
    target_port: int
    domain: bool
    authorization_mode: ServiceAuthorizationMode
    def __init__(self, metadata: _Optional[_Union[_datamodel_pb2.ObjectMeta, _Mapping]] = ..., sandbox_id: _Optional[str] = ..., sandbox: _Optional[str] = ..., name: _Optional[str] = ..., target_port: _Optional[int] = ..., domain: _Optional[bool] = ..., authorization_mode: _Optional[_Union[ServiceAuthorizationMode, str]] = ...) -> None: ...

class GetServiceRequest(_message.Message):
    __slots__ = ("workspace_scope", "name", "sandbox")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    sandbox: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ..., sandbox: _Optional[str] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("workspace_scope", "page_size", "page_token", "sandbox")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    page_size: int
    page_token: str
    sandbox: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., sandbox: _Optional[str] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceEndpointResponse]
    next_page_token: str
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceEndpointResponse, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteServiceRequest(_message.Message):
    __slots__ = ("workspace_scope", "name", "sandbox", "allow_missing", "request_id")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    name: str
    sandbox: str
    allow_missing: bool
    request_id: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., name: _Optional[str] = ..., sandbox: _Optional[str] = ..., allow_missing: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteServiceResponse(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: DeletionOutcome
    def __init__(self, outcome: _Optional[_Union[DeletionOutcome, str]] = ...) -> None: ...

class GetSandboxLogsRequest(_message.Message):
    __slots__ = ("workspace_scope", "sandbox", "lines", "since_time", "sources", "min_level")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    MIN_LEVEL_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    sandbox: str
    lines: int
    since_time: _timestamp_pb2.Timestamp
    sources: _containers.RepeatedScalarFieldContainer[str]
    min_level: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., sandbox: _Optional[str] = ..., lines: _Optional[int] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sources: _Optional[_Iterable[str]] = ..., min_level: _Optional[str] = ...) -> None: ...

class GetSandboxLogsResponse(_message.Message):
    __slots__ = ("logs", "buffer_total")
    LOGS_FIELD_NUMBER: _ClassVar[int]
    BUFFER_TOTAL_FIELD_NUMBER: _ClassVar[int]
    logs: _containers.RepeatedCompositeFieldContainer[SandboxLogLine]
    buffer_total: int
    def __init__(self, logs: _Optional[_Iterable[_Union[SandboxLogLine, _Mapping]]] = ..., buffer_total: _Optional[int] = ...) -> None: ...

class SandboxLogLine(_message.Message):
    __slots__ = ("sandbox_id", "event_time", "level", "target", "message", "source", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    event_time: _timestamp_pb2.Timestamp
    level: str
    target: str
    message: str
    source: str
    fields: _containers.ScalarMap[str, str]
    def __init__(self, sandbox_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., level: _Optional[str] = ..., target: _Optional[str] = ..., message: _Optional[str] = ..., source: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PushSandboxLogsRequest(_message.Message):
    __slots__ = ("sandbox_id", "logs")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    logs: _containers.RepeatedCompositeFieldContainer[SandboxLogLine]
    def __init__(self, sandbox_id: _Optional[str] = ..., logs: _Optional[_Iterable[_Union[SandboxLogLine, _Mapping]]] = ...) -> None: ...

class PushSandboxLogsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchSandboxRequest(_message.Message):
    __slots__ = ("workspace_scope", "sandbox", "follow_status", "follow_logs", "follow_events", "log_tail_lines", "event_tail", "stop_on_terminal", "since_time", "log_sources", "log_min_level", "resume_after_cursor")
    WORKSPACE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_STATUS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_LOGS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    LOG_TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TAIL_FIELD_NUMBER: _ClassVar[int]
    STOP_ON_TERMINAL_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    LOG_SOURCES_FIELD_NUMBER: _ClassVar[int]
    LOG_MIN_LEVEL_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    workspace_scope: _datamodel_pb2.WorkspaceSelector
    sandbox: str
    follow_status: bool
    follow_logs: bool
    follow_events: bool
    log_tail_lines: int
    event_tail: int
    stop_on_terminal: bool
    since_time: _timestamp_pb2.Timestamp
    log_sources: _containers.RepeatedScalarFieldContainer[str]
    log_min_level: str
    resume_after_cursor: str
    def __init__(self, workspace_scope: _Optional[_Union[_datamodel_pb2.WorkspaceSelector, _Mapping]] = ..., sandbox: _Optional[str] = ..., follow_status: _Optional[bool] = ..., follow_logs: _Optional[bool] = ..., follow_events: _Optional[bool] = ..., log_tail_lines: _Optional[int] = ..., event_tail: _Optional[int] = ..., stop_on_terminal: _Optional[bool] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., log_sources: _Optional[_Iterable[str]] = ..., log_min_level: _Optional[str] = ..., resume_after_cursor: _Optional[str] = ...) -> None: ...

class SandboxStreamEvent(_message.Message):
    __slots__ = ("sandbox", "log", "event", "warning", "cursor")
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    sandbox: Sandbox
    log: SandboxLogLine
    event: PlatformEvent
    warning: SandboxStreamWarning
    cursor: str
    def __init__(self, sandbox: _Optional[_Union[Sandbox, _Mapping]] = ..., log: _Optional[_Union[SandboxLogLine, _Mapping]] = ..., event: _Optional[_Union[PlatformEvent, _Mapping]] = ..., warning: _Optional[_Union[SandboxStreamWarning, _Mapping]] = ..., cursor: _Optional[str] = ...) -> None: ...

class PlatformEvent(_message.Message):
    __slots__ = ("event_time", "source", "type", "reason", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    event_time: _timestamp_pb2.Timestamp
    source: str
    type: str
    reason: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ..., type: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SandboxStreamWarning(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: str
    def __init__(self, message: _Optional[str] = ...) -> None: ...

class SupervisorMessage(_message.Message):
    __slots__ = ("hello", "heartbeat", "relay_open_result", "relay_close", "exec_ended")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RELAY_OPEN_RESULT_FIELD_NUMBER: _ClassVar[int]
    RELAY_CLOSE_FIELD_NUMBER: _ClassVar[int]
    EXEC_ENDED_FIELD_NUMBER: _ClassVar[int]
    hello: SupervisorHello
    heartbeat: SupervisorHeartbeat
    relay_open_result: RelayOpenResult
    relay_close: RelayClose
    exec_ended: ExecEnded
    def __init__(self, hello: _Optional[_Union[SupervisorHello, _Mapping]] = ..., heartbeat: _Optional[_Union[SupervisorHeartbeat, _Mapping]] = ..., relay_open_result: _Optional[_Union[RelayOpenResult, _Mapping]] = ..., relay_close: _Optional[_Union[RelayClose, _Mapping]] = ..., exec_ended: _Optional[_Union[ExecEnded, _Mapping]] = ...) -> None: ...

class SupervisorHello(_message.Message):
    __slots__ = ("sandbox_id", "instance_id", "connection_epoch", "supports_provider_readiness", "redirected", "supports_session_redirect", "supports_config_push", "main_process")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SUPPORTS_PROVIDER_READINESS_FIELD_NUMBER: _ClassVar[int]
    REDIRECTED_FIELD_NUMBER: _ClassVar[int]
    SUPPORTS_SESSION_REDIRECT_FIELD_NUMBER: _ClassVar[int]
    SUPPORTS_CONFIG_PUSH_FIELD_NUMBER: _ClassVar[int]
    MAIN_PROCESS_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    instance_id: str
    connection_epoch: int
    supports_provider_readiness: bool
    redirected: bool
    supports_session_redirect: bool
    supports_config_push: bool
    main_process: MainProcessState
    def __init__(self, sandbox_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., connection_epoch: _Optional[int] = ..., supports_provider_readiness: _Optional[bool] = ..., redirected: _Optional[bool] = ..., supports_session_redirect: _Optional[bool] = ..., supports_config_push: _Optional[bool] = ..., main_process: _Optional[_Union[MainProcessState, _Mapping]] = ...) -> None: ...

class SupervisorHeartbeat(_message.Message):
    __slots__ = ("usage",)
    USAGE_FIELD_NUMBER: _ClassVar[int]
    usage: Usage
    def __init__(self, usage: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class RelayOpenResult(_message.Message):
    __slots__ = ("channel_id", "success", "error", "features", "failure")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    success: bool
    error: str
    features: _containers.RepeatedScalarFieldContainer[int]
    failure: int
    def __init__(self, channel_id: _Optional[str] = ..., success: _Optional[bool] = ..., error: _Optional[str] = ..., features: _Optional[_Iterable[int]] = ..., failure: _Optional[int] = ...) -> None: ...

class RelayClose(_message.Message):
    __slots__ = ("channel_id", "reason")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    reason: str
    def __init__(self, channel_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class GatewayMessage(_message.Message):
    __slots__ = ("session_accepted", "session_rejected", "heartbeat", "relay_open", "relay_close")
    SESSION_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    SESSION_REJECTED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RELAY_OPEN_FIELD_NUMBER: _ClassVar[int]
    RELAY_CLOSE_FIELD_NUMBER: _ClassVar[int]
    session_accepted: SessionAccepted
    session_rejected: SessionRejected
    heartbeat: GatewayHeartbeat
    relay_open: RelayOpen
    relay_close: RelayClose
    def __init__(self, session_accepted: _Optional[_Union[SessionAccepted, _Mapping]] = ..., session_rejected: _Optional[_Union[SessionRejected, _Mapping]] = ..., heartbeat: _Optional[_Union[GatewayHeartbeat, _Mapping]] = ..., relay_open: _Optional[_Union[RelayOpen, _Mapping]] = ..., relay_close: _Optional[_Union[RelayClose, _Mapping]] = ...) -> None: ...

class SessionAccepted(_message.Message):
    __slots__ = ("session_id", "config_push_enabled", "heartbeat_interval")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_PUSH_ENABLED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    config_push_enabled: bool
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, session_id: _Optional[str] = ..., config_push_enabled: _Optional[bool] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SessionRejected(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class GatewayHeartbeat(_message.Message):
    __slots__ = ("usage",)
    USAGE_FIELD_NUMBER: _ClassVar[int]
    usage: bool
    def __init__(self, usage: _Optional[bool] = ...) -> None: ...

class RelayOpen(_message.Message):
    __slots__ = ("channel_id", "ssh", "tcp", "exec", "files", "udp", "listen", "accept", "probe", "ports", "service_id", "resume")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    SSH_FIELD_NUMBER: _ClassVar[int]
    TCP_FIELD_NUMBER: _ClassVar[int]
    EXEC_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    UDP_FIELD_NUMBER: _ClassVar[int]
    LISTEN_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    ssh: SshRelayTarget
    tcp: TcpRelayTarget
    exec: ExecTarget
    files: FilesTarget
    udp: UdpTarget
    listen: ListenTarget
    accept: AcceptTarget
    probe: ProbeTarget
    ports: PortsTarget
    service_id: str
    resume: ResumeBinding
    def __init__(self, channel_id: _Optional[str] = ..., ssh: _Optional[_Union[SshRelayTarget, _Mapping]] = ..., tcp: _Optional[_Union[TcpRelayTarget, _Mapping]] = ..., exec: _Optional[_Union[ExecTarget, _Mapping]] = ..., files: _Optional[_Union[FilesTarget, _Mapping]] = ..., udp: _Optional[_Union[UdpTarget, _Mapping]] = ..., listen: _Optional[_Union[ListenTarget, _Mapping]] = ..., accept: _Optional[_Union[AcceptTarget, _Mapping]] = ..., probe: _Optional[_Union[ProbeTarget, _Mapping]] = ..., ports: _Optional[_Union[PortsTarget, _Mapping]] = ..., service_id: _Optional[str] = ..., resume: _Optional[_Union[ResumeBinding, _Mapping]] = ...) -> None: ...

class RelayFrame(_message.Message):
    __slots__ = ("init", "data", "end", "received")
    INIT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    init: RelayInit
    data: bytes
    end: bool
    received: int
    def __init__(self, init: _Optional[_Union[RelayInit, _Mapping]] = ..., data: _Optional[bytes] = ..., end: _Optional[bool] = ..., received: _Optional[int] = ...) -> None: ...

class RelayInit(_message.Message):
    __slots__ = ("channel_id", "features")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    features: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, channel_id: _Optional[str] = ..., features: _Optional[_Iterable[int]] = ...) -> None: ...

class ReportMainProcessExitRequest(_message.Message):
    __slots__ = ("sandbox_id", "instance_id", "exit_code")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    instance_id: str
    exit_code: int
    def __init__(self, sandbox_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., exit_code: _Optional[int] = ...) -> None: ...

class ReportMainProcessExitResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FinalizeMainProcessExitRequest(_message.Message):
    __slots__ = ("sandbox_id", "instance_id")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    instance_id: str
    def __init__(self, sandbox_id: _Optional[str] = ..., instance_id: _Optional[str] = ...) -> None: ...

class FinalizeMainProcessExitResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class IssueSandboxTokenRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class IssueSandboxTokenResponse(_message.Message):
    __slots__ = ("token", "expiration_time")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    token: str
    expiration_time: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[str] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RefreshSandboxTokenRequest(_message.Message):
    __slots__ = ("extension_service_names",)
    EXTENSION_SERVICE_NAMES_FIELD_NUMBER: _ClassVar[int]
    extension_service_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, extension_service_names: _Optional[_Iterable[str]] = ...) -> None: ...

class RefreshSandboxTokenResponse(_message.Message):
    __slots__ = ("token", "expiration_time", "sandbox_token", "sandbox_expiration_time", "session_id", "credential_epoch")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_EXPIRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_EPOCH_FIELD_NUMBER: _ClassVar[int]
    token: str
    expiration_time: _timestamp_pb2.Timestamp
    sandbox_token: str
    sandbox_expiration_time: _timestamp_pb2.Timestamp
    session_id: str
    credential_epoch: int
    def __init__(self, token: _Optional[str] = ..., expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sandbox_token: _Optional[str] = ..., sandbox_expiration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_id: _Optional[str] = ..., credential_epoch: _Optional[int] = ...) -> None: ...
