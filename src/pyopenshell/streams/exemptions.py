"""NO_PROXY: which gateways are reached directly although a proxy is named.

| entry                        | exempts                                                          |
|------------------------------|------------------------------------------------------------------|
| `*`                          | everything                                                       |
| `example.com` `.example.com` | that name and all names below it (as curl does, with and without the dot) |
| `*.example.com`              | the same                                                         |
| `10.0.0.7` `fd00::7` `[fd00::7]` | that address, however it is written                          |
| `10.0.0.0/8` `fd00::/8`      | the addresses of that network                                    |
| any of these and `:PORT`     | the same on that port alone; an IPv6 address needs brackets then |

Entries are apart by commas or white space. What is none of these exempts nothing. This machine (localhost, 127.0.0.0/8, ::1)
is always exempt: what listens there is not there for a proxy.
"""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_ENTRY = re.compile(r"(?:\[([^\]]+)\]|([^\[\]]+?))(?::([0-9]{1,5}))?")


def exempt(host: str, port: int, entries: str) -> bool:
    """Whether a gateway at `host` and `port` is reached without a proxy; `entries` is the value of NO_PROXY."""
    name = host.rstrip(".").lower()
    address = _address(name)
    if _here(name, address):
        return True
    return any(_holds(entry, name, address, port) for entry in re.split(r"[,\s]+", entries.strip().lower()) if entry)


def _here(name: str, address: Address | None) -> bool:
    if address is None:
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 section 6.3
    return address.is_loopback


def _holds(entry: str, name: str, address: Address | None, port: int) -> bool:
    if entry.count(":") > 1 and "[" not in entry:  # an IPv6 address or network, which cannot name a port
        what, wanted = entry, None
    else:
        found = _ENTRY.fullmatch(entry)
        if found is None:
            return False
        what, wanted = found[1] or found[2], found[3]
    if wanted is not None and int(wanted) != port:
        return False
    if what == "*":
        return True
    if address is not None:
        return _holds_address(what, address)
    suffix = what.removeprefix("*").lstrip(".").rstrip(".")
    return bool(suffix) and (name == suffix or name.endswith(f".{suffix}"))


def _holds_address(what: str, address: Address) -> bool:
    try:
        network = ipaddress.ip_network(what, strict=False)
    except ValueError:
        return False
    return address in network


def _address(name: str) -> Address | None:
    """The address that `name` is; an IPv4 address in IPv6 clothes (RFC 4291 section 2.5.5.2) is the IPv4 one."""
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
