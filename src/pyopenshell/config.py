"""Configuration: a TOML file, over it the environment, over it flags. One table of keys; nothing else reads the environment.

The fields of the two dataclasses *are* the table: each carries its type, default, environment variable and one line of
documentation (`table()` lists it). A key that is not in it is refused with the nearest one that is; a bad value is named
with the file and the key. The file has two tables, `[gateway]` and `[client]`, so that one file can serve both.
"""

# ruff: noqa: RUF009 — `_key` is dataclasses.field with our words; it makes no shared default
# No slots here: they make each class twice, which is 2 ms of every command.

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pyopenshell.config_values import READERS, BadValue
from pyopenshell.errors import Code, OpenShellError

FILE_MAX = 1 << 20  # bytes of a configuration file; a person's has some hundred
DIRECTORY = "openshell"  # ours, below each XDG base directory
USER_FILE = "config.toml"  # in our configuration directory: the command line's, and the gateway's that it starts


def _key(default: Any, env: str, doc: str, kind: str, *, secret: bool = False, in_file: bool = True) -> Any:
    """One row of the table. `kind` names its reader; a `secret` stays out of every repr and message."""
    row = {"env": env, "doc": doc, "kind": kind, "secret": secret, "in_file": in_file}
    return field(default=default, repr=not secret, metadata=row)


@dataclass(frozen=True)
class Dirs:
    """Our three places below the XDG base directories (basedir-spec 0.8)."""

    config: Path
    state: Path
    runtime: Path


@dataclass(frozen=True)
class GatewayConfig:
    """What a gateway is told. Durations are seconds, sizes bytes; "10s", "24h", "256MiB" are read too."""

    name: str = _key("local", "OPENSHELL_GATEWAY_NAME", "name of this gateway", "name")
    state_dir: Path | None = _key(
        None, "OPENSHELL_GATEWAY_STATE", "its state directory; default STATE/gateways/NAME", "path"
    )
    runtime_dir: Path | None = _key(
        None, "OPENSHELL_GATEWAY_RUNTIME", "directory of its sockets; default RUNTIME/NAME", "path"
    )
    host: str = _key("127.0.0.1", "OPENSHELL_GATEWAY_HOST", "address to listen on", "address")
    port: int = _key(0, "OPENSHELL_GATEWAY_PORT", "port to listen on; 0 takes a free one", "port")
    server_names: tuple[str, ...] = _key(
        (), "OPENSHELL_GATEWAY_SERVER_NAMES", "further names and addresses in the server certificate", "list"
    )
    database_url: str = _key(
        "", "OPENSHELL_DATABASE_URL", "database; default a SQLite file in the state directory", "text", secret=True
    )
    log_level: str = _key("info", "OPENSHELL_LOG_LEVEL", "debug, info, warning or error", "level")
    log_format: str = _key("text", "OPENSHELL_LOG_FORMAT", "text or json", "log format")
    audit: bool = _key(True, "OPENSHELL_AUDIT", "write audit.jsonl in the state directory", "switch")
    audit_max_bytes: int = _key(64 << 20, "OPENSHELL_AUDIT_MAX_BYTES", "size at which that file is rotated", "size")
    audit_keep: int = _key(4, "OPENSHELL_AUDIT_KEEP", "rotated audit files that are kept", "count")
    isolation: str = _key("best", "OPENSHELL_ISOLATION", "best, or strict: never the shape `single`", "isolation")
    connections_per_token: int = _key(
        3, "OPENSHELL_CONNECTIONS_PER_TOKEN", "connections at once with one SSH session", "positive"
    )
    connections_per_sandbox: int = _key(
        20, "OPENSHELL_CONNECTIONS_PER_SANDBOX", "connections at once into one sandbox", "positive"
    )
    granted_connections: int = _key(
        1000, "OPENSHELL_GRANTED_CONNECTIONS", "ceiling of granted connections into one sandbox", "positive"
    )
    session_ttl: float = _key(24 * 3600.0, "OPENSHELL_SESSION_TTL", "life of an SSH session; 0 has no end", "duration")
    claim_timeout: float = _key(10.0, "OPENSHELL_CLAIM_TIMEOUT", "time a supervisor has to claim a relay", "time")
    session_grace: float = _key(15.0, "OPENSHELL_SESSION_GRACE", "time a lost supervisor is waited for", "duration")
    heartbeat_interval: float = _key(10.0, "OPENSHELL_HEARTBEAT_INTERVAL", "time between heartbeats", "time")
    supervisor_token_ttl: float = _key(
        7 * 24 * 3600.0, "OPENSHELL_SUPERVISOR_TOKEN_TTL", "life of a supervisor's token", "time"
    )
    certificate_ttl: float = _key(
        365 * 24 * 3600.0, "OPENSHELL_CERTIFICATE_TTL", "life of an enrolled certificate; at most 365d", "time"
    )
    relay_budget: int = _key(256 << 20, "OPENSHELL_RELAY_BUDGET", "memory for the windows of all relays", "size")
    etc_binds: tuple[str, ...] = _key(
        (), "OPENSHELL_ETC_BINDS", "further files of /etc that sandboxes see, read-only", "list"
    )


@dataclass(frozen=True)
class ClientConfig:
    """What the command line is told."""

    gateway: str = _key("", "OPENSHELL_GATEWAY", "gateway to use; default the selected one", "text")
    token: str = _key("", "OPENSHELL_TOKEN", "API token; not read from this file", "text", secret=True, in_file=False)
    token_file: Path | None = _key(None, "OPENSHELL_TOKEN_FILE", "file that holds an API token", "path")
    output: str = _key("table", "OPENSHELL_OUTPUT", "table, json or yaml", "output")
    connect_timeout: float = _key(10.0, "OPENSHELL_CONNECT_TIMEOUT", "time to reach a gateway", "time")


C = TypeVar("C", GatewayConfig, ClientConfig)
_TABLES: dict[str, type[Any]] = {"gateway": GatewayConfig, "client": ClientConfig}


def table(kind: type[GatewayConfig] | type[ClientConfig]) -> list[tuple[str, str, str, object, str]]:
    """The rows (key, kind of value, environment variable, default, documentation), for `--help` and the docs."""
    return [
        (row.name, row.metadata["kind"], row.metadata["env"], row.default, row.metadata["doc"])
        for row in dataclasses.fields(kind)
    ]


def xdg_dirs(environ: Mapping[str, str], home: Path) -> Dirs:
    """Where configuration, state and sockets live. A value that is not absolute is ignored, as the specification says."""

    def base(variable: str, fallback: Path) -> Path:
        value = environ.get(variable, "")
        return Path(value) / DIRECTORY if value.startswith("/") else fallback

    state = base("XDG_STATE_HOME", home / ".local" / "state" / DIRECTORY)
    return Dirs(
        config=base("XDG_CONFIG_HOME", home / ".config" / DIRECTORY),
        state=state,
        runtime=base("XDG_RUNTIME_DIR", state / "run"),
    )


def load_gateway(
    environ: Mapping[str, str], *, file: Path | None = None, flags: Mapping[str, object] | None = None
) -> GatewayConfig:
    """The gateway's configuration; flags that are None were not given.

    Raises INVALID for an unknown key or a bad value, PRECONDITION for a file that cannot be read.
    """
    return _load(GatewayConfig, "gateway", environ, file, flags or {})


def load_client(
    environ: Mapping[str, str], *, file: Path | None = None, flags: Mapping[str, object] | None = None
) -> ClientConfig:
    """The command line's configuration, by the same rules."""
    return _load(ClientConfig, "client", environ, file, flags or {})


def _load(kind: type[C], section: str, environ: Mapping[str, str], file: Path | None, flags: Mapping[str, object]) -> C:
    rows = {row.name: row.metadata for row in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in _section(file, section).items():
        if not rows[name]["in_file"]:
            raise OpenShellError(
                Code.INVALID,
                f"{file}: {section}.{name} is a secret and does not belong into this file",
                hint=f"use {rows[name]['env']} or {section}.{name}_file",
            )
        values[name] = _read(rows[name]["kind"], value, f"{file}: {section}.{name}", rows[name]["secret"])
    for name, row in rows.items():
        if row["env"] in environ and environ[row["env"]] != "":
            values[name] = _read(row["kind"], environ[row["env"]], row["env"], row["secret"])
    for name, value in flags.items():
        if name not in rows:
            raise _unknown(f"setting {name!r}", name, rows)
        if value is not None:
            values[name] = _read(rows[name]["kind"], value, f"--{name.replace('_', '-')}", rows[name]["secret"])
    return kind(**values)


def _section(file: Path | None, section: str) -> Mapping[str, object]:
    """The section's keys, all of them known. The other sections' keys are checked too: a typo shows at once."""
    if file is None:
        return {}
    import tomllib  # 5 ms of every command that has no file

    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_MAX + 1)
        if len(content) > FILE_MAX:
            raise OpenShellError(Code.PRECONDITION, f"{file} is over {FILE_MAX} bytes, so it is not a configuration")
        parsed = tomllib.loads(content.decode())
    except OSError as error:
        raise OpenShellError(Code.PRECONDITION, f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise OpenShellError(Code.INVALID, f"{file} is not TOML: {str(error)[:200]}") from None
    for name, keys in parsed.items():
        if name not in _TABLES:
            if isinstance(keys, dict):
                raise _unknown(f"{file}: table [{name[:80]}]", name, _TABLES)
            where = " or ".join(f"[{table}]" for table in _TABLES)
            raise OpenShellError(Code.INVALID, f"{file}: key {name[:80]} is in no table", hint=f"put it below {where}")
        known = {row.name: row for row in dataclasses.fields(_TABLES[name])}
        if not isinstance(keys, dict):
            raise OpenShellError(Code.INVALID, f"{file}: {name} is not a table", hint=f"write [{name}] in a line alone")
        for key in keys:
            if key not in known:
                raise _unknown(f"{file}: key {name}.{key[:80]}", key, known)
    found = parsed.get(section, {})
    return found if isinstance(found, dict) else {}


def _read(kind: str, value: object, where: str, secret: bool) -> Any:
    try:
        return READERS[kind](value)
    except BadValue as error:
        shown = "" if secret else f" {str(value)[:80]!r}"
        raise OpenShellError(Code.INVALID, f"{where}{shown}: {error}") from None


def _unknown(what: str, name: str, known: Mapping[str, object]) -> OpenShellError:
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return OpenShellError(Code.INVALID, f"{what} does not exist", hint=f"did you mean {near[0]!r}?" if near else "")
