"""The one line that an invitation is: where the gateway is, what it is known by, and a code that works once.

    os-user://lab.example:17670/osi_abcdefghijklmnopqrstuvwxyz234567.FINGERPRINT
    os-host://[2001:db8::1]:17670,lab.example:17670/osi_….FINGERPRINT

The scheme says whom it makes of its taker. The addresses are tried in their order. The fingerprint is the SHA-256 of the
gateway's CA certificate in DER: whoever answers in the gateway's place has another one, and never sees the code. The line
has no character that a shell acts on but the brackets of IPv6; it is a secret until it is used, and no error repeats it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import check_port

LINE_MAX = 4096  # characters: what a terminal takes as one line (termios(3), canonical mode)
ADDRESSES_MAX = 16  # of one gateway; each that does not answer costs its taker the patience of one connect
FINGERPRINT_BYTES = 32  # of SHA-256, FIPS 180-4
_CODE = re.compile(r"osi_[a-z2-7]{32}", re.ASCII)  # base32 of RFC 4648 section 6 in lower case: 160 bits
_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LINE = re.compile(r"os-([a-z]+)://([^/]*)/([^/.]*)\.([^/.]*)", re.ASCII)
_ADDRESS = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)):([0-9]{1,5})", re.ASCII
)


class Invited(StrEnum):
    """Whom an invitation makes of its taker."""

    USER = "user"
    HOST = "host"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a gateway listens: a name or an IP literal without brackets, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`. Raises INVALID."""
        found = _ADDRESS.fullmatch(text)
        if found is None or (found[1] is not None and not _is_ipv6(found[1])):
            raise OpenShellError(
                Code.INVALID, f"address {text[:80]!r} is not valid", hint="use HOST:PORT, or [ADDRESS]:PORT for IPv6"
            )
        return cls(found[1] or found[2], check_port(int(found[3]), "gateway port"))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only the gateway's own machine reaches it there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A parsed line; `fingerprint` is 64 hex digits. `str()` is the line, `repr()` is without the code."""

    role: Invited
    addresses: tuple[Address, ...]
    code: str = field(repr=False)
    fingerprint: str

    @classmethod
    def of(cls, role: Invited, addresses: Sequence[Address], code: str, fingerprint: bytes) -> Invitation:
        """Built of its parts, and checked as a line is. Raises INVALID."""
        return cls.parse(str(cls(role, tuple(addresses), code, fingerprint.hex())))

    @classmethod
    def parse(cls, text: str) -> Invitation:
        """Read a line, with white space around it or not. Raises INVALID that says which part is wrong and shows none."""
        text = text.strip()
        found = _LINE.fullmatch(text) if len(text) <= LINE_MAX else None
        if found is None:
            raise _invalid("the line is not an invitation")
        kind, where, code, fingerprint = found.groups()
        try:
            role = Invited(kind)
        except ValueError:
            raise _invalid(
                "the line invites to be something that is not known here: is this program too old?"
            ) from None
        places = where.split(",")
        if len(places) > ADDRESSES_MAX:
            raise _invalid(f"the invitation has over {ADDRESSES_MAX} addresses")
        if not _CODE.fullmatch(code):
            raise _invalid("the invitation's code is damaged")
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise _invalid("the invitation's fingerprint is damaged or cut off")
        return cls(role, tuple(Address.parse(place) for place in places), code, fingerprint)

    def __str__(self) -> str:
        return f"os-{self.role}://{','.join(map(str, self.addresses))}/{self.code}.{self.fingerprint}"

    def check_role(self, role: Invited) -> None:
        """Raise INVALID where the line is for somebody else; asked before anything is sent."""
        if self.role is not role:
            raise OpenShellError(
                Code.INVALID, f"the invitation is for a {self.role}, not for a {role}", hint=_TAKEN_BY[self.role]
            )


def looks_like_line(text: str) -> bool:
    """Whether `text` is meant to be an invitation, well made or not."""
    return text.lstrip().startswith("os-") and "://" in text


_TAKEN_BY = {
    Invited.USER: "'openshell gateway add LINE' takes it",
    Invited.HOST: "'openshell-supervisor serve LINE' or 'openshell-supervisor join LINE' takes it",
    Invited.PROXY: "'openshell gateway add LINE --certificate-to DIR' takes it",
}


def _invalid(message: str) -> OpenShellError:
    return OpenShellError(Code.INVALID, message, hint="copy the whole line that 'openshell gateway invite' printed")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
