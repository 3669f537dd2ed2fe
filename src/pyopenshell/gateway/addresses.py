"""Under which names this gateway can be reached: in its server certificate, and in what it tells others to dial."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pyopenshell.errors import OpenShellError
from pyopenshell.gateway.certificates import server_alternatives


def is_wildcard(host: str) -> bool:
    """Whether `host` is an address to listen on that nobody can dial: 0.0.0.0 or ::."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def reachable(server_names: Sequence[str], host: str, machine: str) -> tuple[str, ...]:
    """Names and addresses, the best first: those that were given, then the bound one, or the machine's own name.

    A pattern (`*.example`) names no machine and is left out, and so is a machine's name that no certificate can carry.
    """
    last = host
    if is_wildcard(host):
        try:
            server_alternatives([machine])
            last = machine
        except OpenShellError:
            last = ""
    names = (*(name for name in server_names if not name.startswith("*.")), last)
    return tuple(dict.fromkeys(name for name in names if name))


def dialled(host: str) -> str:
    """What a client on this machine dials where the gateway is bound to `host`."""
    if not is_wildcard(host):
        return host
    return "::1" if ":" in host else "127.0.0.1"
