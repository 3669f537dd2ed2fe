"""Where a gateway on another machine is, for a supervisor that dials it over TLS. Alone, because zygotes load it too."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RemoteGateway:
    """`host` (a name or an IP literal) and `port`, the CA's certificate in PEM that alone is trusted, and the URL of an HTTP
    proxy on the way ("" for none), which may hold a password.
    """

    host: str
    port: int
    ca: str = field(repr=False)
    proxy: str = field(default="", repr=False)
