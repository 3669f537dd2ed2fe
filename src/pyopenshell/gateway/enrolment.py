"""pyopenshell.v1.Enrolment: the two calls of whoever was invited, open to all who can reach the gateway.

They tell what is no secret (the CA's certificate, the clock) and take what somebody was given (a code). A caller stays a
stranger, with a stranger's limits (`streams/strangers.py`), whatever the answer: what it enrols for counts on its next
connection. Codes have 160 random bits, so nobody guesses one; failures have a rate because each costs a look into the
database and a line in the audit.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from pyopenshell.audit import entities
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.door import ENROLMENT
from pyopenshell.gateway.people import principal_message, role_of
from pyopenshell.gateway.principals import PrincipalBook
from pyopenshell.gateway.trail import Trail
from pyopenshell.streams.accepting import SUBNET
from pyopenshell.streams.arrivals import Arrivals
from pyopenshell.streams.grpc_server import Call, Handler, unary
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

#: Failed enrolments of one address: at first, for a person who pastes wrong lines, and then how many a second.
PEER_BURST, PEER_RATE = 10, 0.1
#: The same of all: a look into the database takes less than a millisecond, so they get less than 1 % of its thread.
ALL_BURST, ALL_RATE = 200, 10.0
MESSAGE_MAX = 8 * 1024  # bytes: a signing request (authority.REQUEST_MAX), a code and a name
_ALL = ""


class EnrolmentService:
    """Serves both calls. `gateway` is its name; `refuse` raises while nobody new is let in."""

    def __init__(
        self,
        gateway: str,
        authority: Authority,
        book: PrincipalBook,
        trail: Trail,
        now: Callable[[], float],
        refuse: Callable[[], None] = lambda: None,
    ) -> None:
        self._gateway = gateway
        self._authority = authority
        self._book = book
        self._trail = trail
        self._now = now
        self._refuse = refuse
        self._failures = Arrivals(PEER_BURST, PEER_RATE)
        self._all_failures = Arrivals(ALL_BURST, ALL_RATE)

    def handlers(self) -> dict[str, Handler]:
        """Path and handler of both."""
        return {
            f"/{ENROLMENT}/GetAuthority": _small(unary(ext.GetAuthorityRequest, self.authority)),
            f"/{ENROLMENT}/Enrol": _small(unary(ext.EnrolRequest, self.enrol)),
        }

    async def authority(self, _request: ext.GetAuthorityRequest, _call: Call) -> ext.GetAuthorityResponse:
        """The CA's certificate and the gateway's clock."""
        return ext.GetAuthorityResponse(certificate=self._authority.der, time=timestamp(self._trail.wall()))

    async def enrol(self, request: ext.EnrolRequest, call: Call) -> ext.EnrolResponse:
        """A certificate for a code. Raises EXHAUSTED (too many failures) and what `PrincipalBook.enrol` raises."""
        self._refuse()
        peer = _peer(call.peer.address)
        # The share is taken before the first await, so that many at once do not pass together; a success gives it back.
        if not self._failures.may(peer, self._now()) or not self._all_failures.may(_ALL, self._now()):
            raise OpenShellError(
                Code.EXHAUSTED, "too many enrolments have failed", hint="wait a minute, then try again"
            )
        try:
            certificate, record = await self._book.enrol(
                request.code, request.signing_request, request.name, role_of(request.role), self._trail.wall()
            )
        except OpenShellError as error:
            self._trail.note(entities.caller_refused, "Enrol", error.code, error.message, call.peer.address)
            raise
        self._failures.proved(peer)
        self._all_failures.proved(_ALL)
        self._trail.note(
            entities.principal_enrolled, record.role, record.name, record.id, record.invited_by, call.peer.address
        )
        return ext.EnrolResponse(certificate=certificate, principal=principal_message(record), gateway=self._gateway)


def _small(handler: Handler) -> Handler:
    async def handle(call: Call) -> None:
        call.limit = min(call.limit, MESSAGE_MAX)
        await handler(call)

    return handle


def _peer(address: str) -> str:
    """Whose failures are counted together: an IPv4 address, an IPv6 subnet, all of a Unix socket."""
    host = address.rpartition(":")[0]
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, SUBNET), strict=False))
