"""Configuration: a TOML file, over it the environment, over it flags. One table of keys; nothing else reads the environment.

The fields of the two dataclasses *are* the table: each carries its type, default, reader, environment variable and one line of
documentation. A key that is not in it is refused with the nearest one that is; a bad value is named with the file and key.
The file has two tables, `[gateway]` and `[client]`, so that one file can serve both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def key(default: Any, env: str, doc: str, *, read: Callable[[object], Any] | None = None, secret: bool = False) -> Any:
    """One row of the table. `secret` keys are taken from the environment and flags alone and stay out of every repr."""
    return field(default=default, repr=not secret, metadata={"env": env, "doc": doc, "read": read, "secret": secret})


@dataclass(frozen=True, slots=True)
class Dirs:
    """The three XDG places of ours (basedir-spec 0.8): each is the base directory's `openshell`."""

    config: Path
    state: Path
    runtime: Path


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What a gateway is told. Durations are seconds, sizes bytes; in a file "10s", "24h", "256MiB" are read too."""

    name: str = key("local", "OPENSHELL_GATEWAY_NAME", "name of this gateway")
    state_dir: Path | None = key(None, "OPENSHELL_GATEWAY_STATE", "state directory; default STATE/gateways/NAME")
    runtime_dir: Path | None = key(None, "OPENSHELL_GATEWAY_RUNTIME", "directory of its sockets; default RUNTIME/NAME")
    host: str = key("127.0.0.1", "OPENSHELL_GATEWAY_HOST", "address to listen on")
    port: int = key(0, "OPENSHELL_GATEWAY_PORT", "port to listen on; 0 takes a free one")
    server_names: tuple[str, ...] = key((), "OPENSHELL_GATEWAY_SERVER_NAMES", "further names in the server certificate")
    database_url: str = key("", "OPENSHELL_DATABASE_URL", "database; default a SQLite file in the state directory")
    log_level: str = key("info", "OPENSHELL_LOG_LEVEL", "debug, info, warning or error")
    log_format: str = key("text", "OPENSHELL_LOG_FORMAT", "text or json")
    audit: bool = key(True, "OPENSHELL_AUDIT", "write audit.jsonl in the state directory")
    audit_max_bytes: int = key(64 * 2**20, "OPENSHELL_AUDIT_MAX_BYTES", "size at which the audit file is rotated")
    audit_keep: int = key(4, "OPENSHELL_AUDIT_KEEP", "rotated audit files that are kept")
    isolation: str = key("best", "OPENSHELL_ISOLATION", "best, or strict: refuse the shape `single`")
    connections_per_token: int = key(3, "OPENSHELL_CONNECTIONS_PER_TOKEN", "connections at once for one SSH session")
    connections_per_sandbox: int = key(20, "OPENSHELL_CONNECTIONS_PER_SANDBOX", "connections at once for one sandbox")
    granted_connections: int = key(1000, "OPENSHELL_GRANTED_CONNECTIONS", "ceiling of granted connections of one sandbox")
    session_ttl: float = key(24 * 3600.0, "OPENSHELL_SESSION_TTL", "life of an SSH session; 0 has no end")
    claim_timeout: float = key(10.0, "OPENSHELL_CLAIM_TIMEOUT", "time for a supervisor to claim a relay")
    session_grace: float = key(15.0, "OPENSHELL_SESSION_GRACE", "time a lost supervisor session is waited for")
    heartbeat_interval: float = key(10.0, "OPENSHELL_HEARTBEAT_INTERVAL", "time between heartbeats of a supervisor session")
    supervisor_token_ttl: float = key(7 * 24 * 3600.0, "OPENSHELL_SUPERVISOR_TOKEN_TTL", "life of a supervisor's token")
    relay_budget: int = key(256 * 2**20, "OPENSHELL_RELAY_BUDGET", "memory for relays in flight")
    etc_binds: tuple[str, ...] = key((), "OPENSHELL_ETC_BINDS", "further files of /etc that sandboxes see, read-only")


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """What the command line is told."""

    gateway: str = key("", "OPENSHELL_GATEWAY", "name of the gateway to use; default the selected one")
    token: str = key("", "OPENSHELL_TOKEN", "API token; from the environment alone", secret=True)
    token_file: Path | None = key(None, "OPENSHELL_TOKEN_FILE", "file that holds an API token")
    output: str = key("table", "OPENSHELL_OUTPUT", "table, json or yaml")
    log_level: str = key("warning", "OPENSHELL_LOG_LEVEL", "debug, info, warning or error")
    connect_timeout: float = key(10.0, "OPENSHELL_CONNECT_TIMEOUT", "time to reach a gateway")
    daemon: str = key("auto", "OPENSHELL_DAEMON", "auto, or off: no per-user daemon")


def xdg_dirs(environ: Mapping[str, str], home: Path) -> Dirs:
    """Where configuration, state and sockets live. Relative values are ignored, as the specification says."""
    raise NotImplementedError


def load_gateway(
    environ: Mapping[str, str], *, file: Path | None = None, flags: Mapping[str, object] | None = None
) -> GatewayConfig:
    """The gateway's configuration. Flags that are None were not given. Raises INVALID for an unknown key or a bad value,

    PRECONDITION for a file that cannot be read.
    """
    raise NotImplementedError


def load_client(
    environ: Mapping[str, str], *, file: Path | None = None, flags: Mapping[str, object] | None = None
) -> ClientConfig:
    """The command line's configuration, by the same rules."""
    raise NotImplementedError
