"""The gateways this installation knows: one directory each, as other clients of the service lay them out too.

    $XDG_CONFIG_HOME/openshell/gateways/NAME/metadata.json   name, gateway_endpoint, is_remote, gateway_port, auth_mode;
                                                            ours: renew_after, bind, san
    $XDG_CONFIG_HOME/openshell/gateways/NAME/mtls/           ca.crt, tls.crt, tls.key
    $XDG_CONFIG_HOME/openshell/active_gateway                the bare name of the one that is meant where none is named

Fields that another client put into metadata.json are kept when it is written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import read_small, write_private
from pyopenshell.model import NAME_MAX, check_name, check_port
from pyopenshell.sdk.paths import Paths

AUTH_MTLS = "mtls"  # a client certificate says who calls
AUTH_TOKEN = "token"  # noqa: S105 - an API token says who calls; the word is not one
AUTH_PLAINTEXT = "plaintext"  # no TLS: a gateway behind a tunnel or in a test
HTTPS_PORT = 443
HTTP_PORT = 80
_SAME_NAMES_MAX = 1000  # three digits behind a name that was cut to leave room for them
_ENDPOINT = re.compile(r"(https?)://(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9._-]*))(?::([0-9]{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway listens, read from `https://host[:port]` or `http://host[:port]`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Raises INVALID for anything but a scheme, a host and a port."""
        found = _ENDPOINT.fullmatch(text)
        if found is None:
            raise OpenShellError(Code.INVALID, f"endpoint {text[:120]!r} is not valid", hint="use https://HOST:PORT")
        scheme, bracketed, host, port = found.groups()
        if not port:
            return cls(scheme, bracketed or host, HTTPS_PORT if scheme == "https" else HTTP_PORT)
        return cls(scheme, bracketed or host, check_port(int(port), "gateway port"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A registered gateway. `mtls` is the directory that may hold ca.crt, tls.crt and tls.key."""

    name: str
    endpoint: Endpoint
    is_remote: bool
    auth_mode: str
    mtls: Path
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ca(self) -> Path:
        return self.mtls / "ca.crt"

    @property
    def certificate(self) -> Path:
        return self.mtls / "tls.crt"

    @property
    def key(self) -> Path:
        return self.mtls / "tls.key"


class Registry:
    """Reads and writes the directories above; nothing is cached, so it always tells what is on disk."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def directory(self, name: str) -> Path:
        return self._paths.gateways / check_name(name, "gateway name")

    def names(self) -> list[str]:
        """Names of all registered gateways, sorted."""
        try:
            entries = list(self._paths.gateways.iterdir())
        except OSError:
            return []
        return sorted(entry.name for entry in entries if (entry / "metadata.json").is_file())

    def load(self, name: str) -> Gateway:
        """Raises NOT_FOUND for a gateway that is not registered, PRECONDITION for metadata that cannot be used."""
        directory = self.directory(name)
        data = read_small(directory / "metadata.json")
        if data is None:
            known = ", ".join(self.names()) or "none"
            raise OpenShellError(
                Code.NOT_FOUND,
                f"gateway {name!r} is not registered",
                hint=f"known: {known}; see 'openshell gateway add'",
            )
        try:
            fields = json.loads(data)
            endpoint = Endpoint.parse(fields["gateway_endpoint"])
            return Gateway(
                name=name,
                endpoint=endpoint,
                is_remote=bool(fields.get("is_remote", False)),
                auth_mode=str(fields.get("auth_mode") or AUTH_MTLS),
                mtls=directory / "mtls",
                extra=dict(fields),
            )
        except (ValueError, KeyError, TypeError, AttributeError, OpenShellError) as error:
            raise OpenShellError(
                Code.PRECONDITION,
                f"{directory / 'metadata.json'} cannot be read as a gateway",
                hint=f"'openshell gateway remove {name}' and add it again",
            ) from error

    def active_name(self) -> str:
        """The selected gateway; the only one where nothing is selected; empty where there is none or a choice is needed."""
        chosen = (read_small(self._paths.config / "active_gateway") or b"").decode("utf-8", "replace").strip()
        names = self.names()
        if chosen in names:
            return chosen
        return names[0] if len(names) == 1 else ""

    def resolve(self, name: str = "") -> Gateway:
        """The gateway called `name`, or the active one. Raises NOT_FOUND that says what to do."""
        if name:
            return self.load(name)
        active = self.active_name()
        if active:
            return self.load(active)
        if self.names():
            raise OpenShellError(
                Code.NOT_FOUND, "no gateway is selected", hint="'openshell gateway select NAME', or --gateway NAME"
            )
        raise OpenShellError(
            Code.NOT_FOUND, "no gateway is registered", hint="'openshell gateway start', or 'openshell gateway add'"
        )

    def select(self, name: str) -> None:
        """Make `name` the active gateway. Raises NOT_FOUND."""
        self.load(name)
        write_private(self._paths.config / "active_gateway", f"{name}\n".encode())

    def save(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        is_remote: bool,
        auth_mode: str,
        credentials: dict[str, bytes] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Gateway:
        """Write metadata, with fields of `extra` beside ours, and the given files of mtls/ (`ca.crt`, `tls.crt`, `tls.key`).

        The first gateway becomes active.
        """
        directory = self.directory(name)
        was_alone = not self.names()
        before = read_small(directory / "metadata.json")
        try:
            fields = dict(json.loads(before)) if before else {}
        except (ValueError, TypeError):
            fields = {}
        fields |= {
            "name": name,
            "gateway_endpoint": str(endpoint),
            "is_remote": is_remote,
            "gateway_port": endpoint.port,
            "auth_mode": auth_mode,
            **(extra or {}),
        }
        for file_name, content in (credentials or {}).items():
            write_private(directory / "mtls" / file_name, content)
        write_private(directory / "metadata.json", json.dumps(fields, indent=2).encode() + b"\n")
        if was_alone:
            self.select(name)
        return self.load(name)

    def free_name(self, wanted: str) -> str:
        """`wanted`, or `wanted-2` and so on where a gateway of that name is registered here."""
        names = set(self.names())
        tries = (wanted, *(f"{wanted[: NAME_MAX - 4]}-{number}" for number in range(2, _SAME_NAMES_MAX)))
        for name in tries:
            if name not in names:
                return name
        raise OpenShellError(Code.CONFLICT, f"too many gateways are called {wanted!r} here", hint="choose with --name")

    def remove(self, name: str) -> None:
        """Forget a gateway: its metadata and credentials. Raises NOT_FOUND."""
        directory = self.directory(name)
        if not (directory / "metadata.json").exists():
            self.load(name)
        selected = self._paths.config / "active_gateway"
        if (read_small(selected) or b"").decode("utf-8", "replace").strip() == name:
            selected.unlink(missing_ok=True)
        import shutil  # with the compressors it brings, 5 ms that only this needs

        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise OpenShellError(Code.PRECONDITION, f"cannot remove {directory}: {error.strerror}") from error


def add_fields(gateway: Gateway, fields: Mapping[str, Any]) -> None:
    """Put `fields` into a registered gateway's metadata, and into `gateway.extra`; what is there besides stays."""
    file = gateway.mtls.parent / "metadata.json"
    try:
        found = dict(json.loads(read_small(file) or b""))
    except (ValueError, TypeError):
        return  # somebody removes or repairs it just now
    gateway.extra.update(fields)
    write_private(file, json.dumps(found | dict(fields), indent=2).encode() + b"\n")
