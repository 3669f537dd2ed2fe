"""How an invitation becomes a certificate: two connections, and the second one alone is told the code.

(a) Whoever answers is asked for its authority, over TLS that verifies nothing and is told nothing: only the authority's
    fingerprint decides whether this is the gateway that made the invitation. Its clock comes along.
(b) A connection that is verified against that authority and the address carries the code and a signing request. Somebody in
    between can answer (a) with the true authority, but cannot make the handshake of (b).

An address that does not answer, or answers as somebody else, is passed over for the next one. Once the code was sent nothing
is tried again: it may have been taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pyopenshell.enrol.invitation import Address, Invitation, Invited
from pyopenshell.enrol.keys import Key, Validity, authority_pem, clock, fingerprint
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import check_name
from pyopenshell.streams import tls
from pyopenshell.streams.grpc_client import CONNECT_TIMEOUT, Channel, Endpoint
from pyopenshell.streams.proxies import FindProxy, Proxy, direct
from pyopenshell.wire.convert import seconds_of_timestamp
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

ENROLMENT = "/pyopenshell.v1.Enrolment/"
CALL_TIMEOUT = 30.0  # seconds; a signature and a row are milliseconds, and a gateway may be busy
#: Seconds: certificates count from an hour before they are made (BACKDATE of gateway/certificates.py).
CLOCKS_APART = 3600.0

ROLES = {
    Invited.USER: ext.ENROLLED_ROLE_USER,
    Invited.HOST: ext.ENROLLED_ROLE_HOST,
    Invited.PROXY: ext.ENROLLED_ROLE_PROXY,
}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What an invitation has made: who we are, at which gateway, and the three PEM files of an mtls/ directory."""

    role: Invited
    name: str
    gateway: str
    address: Address
    scopes: tuple[str, ...]
    validity: Validity
    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)

    @property
    def credentials(self) -> dict[str, bytes]:
        """The files of an mtls/ directory."""
        return {"ca.crt": self.authority, "tls.crt": self.certificate, "tls.key": self.key}


async def enrol(
    invitation: Invitation,
    role: Invited,
    *,
    name: str = "",
    timeout: float = CONNECT_TIMEOUT,
    wall: Callable[[], float] = time.time,
    find_proxy: FindProxy = direct,
) -> Enrolled:
    """Take an invitation as `role`; `name` is what we would be called where the invitation names nobody.

    Raises INVALID (an invitation for another role, an impossible name) before anything is sent, UNAVAILABLE where no address
    answers, UNAUTHENTICATED for a gateway that is another one, PRECONDITION for clocks that are too far apart, and what
    the gateway answers: UNAUTHENTICATED (a code that is used, expired or forged), CONFLICT (a name that is taken),
    EXHAUSTED. BROKEN and UNAVAILABLE that say so: the code was sent and may be used up.
    """
    invitation.check_role(role)
    if name:
        check_name(name)
    key = Key.make()
    failed: list[OpenShellError] = []
    for address in invitation.addresses:
        try:
            channel, authority = await _reach(
                address, invitation.fingerprint, timeout, wall, find_proxy(address.host, address.port)
            )
        except OpenShellError as error:
            failed.append(error)
            continue
        try:
            return await _ask(channel, address, authority, invitation, key, name)
        finally:
            await channel.close()
    raise _worst(failed)


async def _reach(
    address: Address, expected: str, timeout: float, wall: Callable[[], float], proxy: Proxy | None
) -> tuple[Channel, bytes]:
    """A connection to the gateway whose authority has this fingerprint, and that authority in DER."""
    endpoint, what = Endpoint(address.host, address.port), "the gateway"
    asked = await Channel.connect(endpoint, tls.unverified_context(), timeout=timeout, name=what, proxy=proxy)
    try:
        answer = await asked.unary(
            ENROLMENT + "GetAuthority", ext.GetAuthorityRequest(), ext.GetAuthorityResponse, timeout=timeout
        )
    finally:
        await asked.close()
    if fingerprint(answer.certificate) != expected:
        raise OpenShellError(
            Code.UNAUTHENTICATED,
            f"what answers at {address} is not the gateway that made this invitation (its authority's fingerprint is "
            "another): somebody is in between, or the line is of another gateway",
            hint="nothing secret was sent",
        )
    ours, theirs = wall(), seconds_of_timestamp(answer.time)
    clocks = f"this machine's clock says {clock(ours)}, the gateway's {clock(theirs)}"
    if abs(ours - theirs) > CLOCKS_APART:
        raise OpenShellError(
            Code.PRECONDITION, f"{clocks}: certificates need them to agree", hint="set the clock that is wrong"
        )
    trusting = tls.authority_context(authority_pem(answer.certificate).decode())
    try:
        channel = await Channel.connect(endpoint, trusting, timeout=timeout, name=what, proxy=proxy)
    except OpenShellError as error:
        if error.code is Code.UNAUTHENTICATED:
            hint = f"a gateway that is to be reached at {address.host!r} is started with --san {address.host}; {clocks}"
            raise OpenShellError(error.code, error.message, hint=hint) from error
        raise
    return channel, answer.certificate


async def _ask(
    channel: Channel, address: Address, authority: bytes, invitation: Invitation, key: Key, name: str
) -> Enrolled:
    request = ext.EnrolRequest(
        code=invitation.code, signing_request=key.request(), name=name, role=ROLES[invitation.role]
    )
    try:
        answer = await channel.unary(ENROLMENT + "Enrol", request, ext.EnrolResponse, timeout=CALL_TIMEOUT)
    except OpenShellError as error:
        if error.code in (Code.BROKEN, Code.DEADLINE) or (error.code is Code.UNAVAILABLE and channel.closed):
            lost = f"the connection to the gateway at {address} was lost after the invitation was sent: {error.message}"
            hint = "it may be used up: where it is not taken again, ask for a new one"
            raise OpenShellError(Code.BROKEN, lost, hint=hint) from error
        raise
    certificate, times = key.accept(answer.certificate, authority)
    return Enrolled(
        role=invitation.role,
        name=check_name(answer.principal.name, "the name that the gateway gave"),
        gateway=check_name(answer.gateway, "the gateway's name"),
        address=address,
        scopes=tuple(answer.principal.scopes),
        validity=times,
        authority=authority_pem(authority),
        certificate=certificate,
        key=key.pem,
    )


def _worst(failed: list[OpenShellError]) -> OpenShellError:
    """What to tell where every address failed: an answer that is wrong before silence."""
    told = [error for error in failed if error.code is not Code.UNAVAILABLE]
    if told or len(failed) == 1:
        return (told or failed)[0]
    reasons = "; ".join(error.message for error in failed)
    return OpenShellError(
        Code.UNAVAILABLE, f"the gateway answers at none of its addresses: {reasons}", hint="is it running?"
    )
