"""Where a local gateway listens, and under which names: asked for once, kept in its metadata, taken again by each start.

    metadata.json   "bind": "0.0.0.0"   "san": ["lab.example", "192.0.2.7"]   (the port is gateway_port)

Nothing kept means loopback, or what the gateway's own configuration says. The certificate names what clients of other
machines call the gateway; those of an address that stands for all of them cannot be guessed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import parse_bind

BIND, SAN = "bind", "san"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Opening:
    """`host` is an IP literal, empty for what the configuration says; `port` None for none asked.

    `names` are further ones of the server certificate.
    """

    host: str = ""
    port: int | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def asked(cls, bind: str, names: Sequence[str], port: int | None) -> Opening:
        """What was asked for with --bind, --san and --port. Raises INVALID, also for two ports that differ."""
        if not bind:
            return cls("", port, tuple(names))
        host, bound = parse_bind(bind)
        if bound is not None and port is not None and bound != port:
            raise OpenShellError(Code.INVALID, f"--bind says port {bound} and --port says {port}", hint="give one")
        return cls(host, port if bound is None else bound, tuple(names))

    @classmethod
    def kept(cls, extra: Mapping[str, Any]) -> Opening:
        """What a gateway's metadata says; what cannot be read of it counts as not there."""
        host, names = extra.get(BIND), extra.get(SAN)
        try:
            host = parse_bind(host)[0] if isinstance(host, str) else ""
        except OpenShellError:
            host = ""
        return cls(
            host, None, tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
        )

    def over(self, kept: Opening) -> Opening:
        """This where it says something, `kept` where it does not."""
        return Opening(self.host or kept.host, self.port, self.names or kept.names)

    def differs(self, kept: Opening) -> str:
        """How one that runs with `kept` is not what was asked for, as `at 0.0.0.0`; empty where it is."""
        if self.host and self.host != (kept.host or LOOPBACK):
            return f"at {kept.host or LOOPBACK}"
        if self.names and self.names != kept.names:
            return f"with the names {', '.join(kept.names)}" if kept.names else "without further names"
        return ""

    @property
    def flags(self) -> list[str]:
        """As `openshell-gateway` takes it, without the port."""
        bind = ["--bind", f"[{self.host}]" if ":" in self.host else self.host] if self.host else []
        return [*bind, *(flag for name in self.names for flag in ("--san", name))]

    @property
    def fields(self) -> dict[str, Any]:
        """As metadata keeps it; nothing where nothing was ever asked for."""
        host = {BIND: self.host} if self.host else {}
        return host | ({SAN: list(self.names)} if self.names else {})


def is_open(host: str) -> bool:
    """Whether other machines reach what listens on the address `host`."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
