"""pyopenshell.v1.Extension: invitations, who came by them, and how they go.

A revocation is in force when it is answered: no certificate of that principal lets anybody in (also no remembered one), and
what it had opened is cut: relays, SSH sessions and what they opened, watches, a host's control stream.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyopenshell.audit import entities
from pyopenshell.enrol.invitation import Address, Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.admission import credential_tie
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import EXTENSION, Caller, Rpc
from pyopenshell.gateway.invitations import InvitationBook
from pyopenshell.gateway.leases import Leases
from pyopenshell.gateway.principals import PrincipalBook, principal_subject
from pyopenshell.gateway.trail import Trail
from pyopenshell.relay.outcomes import Cause
from pyopenshell.store.invitations import InvitationRecord
from pyopenshell.store.principals import PrincipalRecord
from pyopenshell.store.ssh_sessions import SshSessions
from pyopenshell.wire.convert import seconds_of_duration, timestamp
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

_ROLES = {
    ext.ENROLLED_ROLE_USER: Invited.USER,
    ext.ENROLLED_ROLE_HOST: Invited.HOST,
    ext.ENROLLED_ROLE_PROXY: Invited.PROXY,
}
_NUMBERS = {str(role): number for number, role in _ROLES.items()}


class PeopleService:
    """Serves the four calls. `addresses` are where the gateway can be reached, the best first."""

    def __init__(
        self,
        invitations: InvitationBook,
        principals: PrincipalBook,
        authority: Authority,
        addresses: Sequence[Address],
        sessions: SshSessions,
        board: Board,
        leases: Leases,
        trail: Trail,
    ) -> None:
        self._invitations = invitations
        self._principals = principals
        self._authority = authority
        self._addresses = addresses
        self._sessions = sessions
        self._board = board
        self._leases = leases
        self._trail = trail

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.CREATE_INVITATION, ext.CreateInvitationRequest, one=self.invite, service=EXTENSION),
            Rpc(Action.LIST_PRINCIPALS, ext.ListPrincipalsRequest, one=self.list, service=EXTENSION),
            Rpc(Action.REVOKE_PRINCIPAL, ext.RevokePrincipalRequest, one=self.revoke, service=EXTENSION),
            Rpc(Action.RENEW_CERTIFICATE, ext.RenewCertificateRequest, one=self.renew, service=EXTENSION),
        ]

    async def invite(self, request: ext.CreateInvitationRequest, caller: Caller) -> ext.CreateInvitationResponse:
        """A new invitation; its code is in this answer alone. Raises INVALID, CONFLICT."""
        ttl = seconds_of_duration(request.ttl) if request.HasField("ttl") else None
        code, record = await self._invitations.create(
            caller.principal, role_of(request.role), request.name, request.scopes, self._trail.wall(), ttl=ttl
        )
        self._trail.note(entities.invitation_created, caller.principal, record.role, record.name, sorted(record.scopes))
        return ext.CreateInvitationResponse(
            code=code,
            fingerprint=self._authority.fingerprint,
            addresses=[str(address) for address in self._addresses],
            expiration_time=timestamp(record.expires_at),
        )

    async def list(self, _request: ext.ListPrincipalsRequest, _caller: Caller) -> ext.ListPrincipalsResponse:
        """All who came, revoked or not, and the open invitations; newest first."""
        came = [(one.created_at, principal_message(one)) for one in await self._principals.list()]
        open_ = await self._invitations.open(self._trail.wall())
        came += [(one.created_at, invitation_message(one)) for one in open_]
        came.sort(key=lambda pair: pair[0], reverse=True)
        return ext.ListPrincipalsResponse(principals=[message for _, message in came])

    async def revoke(self, request: ext.RevokePrincipalRequest, caller: Caller) -> ext.RevokePrincipalResponse:
        """Revoke one, with all that it opened, or take its invitation back. Raises NOT_FOUND, CONFLICT (which role?)."""
        now = self._trail.wall()
        role = role_of(request.role) if request.role else None
        record, invited = await self._principals.revoke(request.name, role, now)
        if record is None:
            self._trail.note(entities.principal_revoked, caller.principal, invited[0].role, invited[0].name, "")
            return ext.RevokePrincipalResponse(principal=invitation_message(invited[0], now))
        self._leases.revoke(record.id)
        self._board.cut(credential_tie(record.id), Cause.REVOKED)
        for token_hash in await self._sessions.revoke_of(principal_subject(record), now):
            self._board.cut(token_hash, Cause.REVOKED)
        self._trail.note(entities.principal_revoked, caller.principal, record.role, record.name, record.id)
        return ext.RevokePrincipalResponse(principal=principal_message(record))

    async def revoke_host(self, name: str, caller: Caller) -> None:
        """As `revoke`, for a host that is removed; nothing where it was revoked before."""
        try:
            await self.revoke(ext.RevokePrincipalRequest(name=name, role=ext.ENROLLED_ROLE_HOST), caller)
        except OpenShellError as error:
            if error.code is not Code.NOT_FOUND:
                raise

    async def renew(self, request: ext.RenewCertificateRequest, caller: Caller) -> ext.RenewCertificateResponse:
        """A new certificate for the same key. Raises PRECONDITION, FORBIDDEN, INVALID."""
        certificate, end = await self._principals.renew(
            caller.principal, caller.call.peer.tls_cert_der, request.signing_request, self._trail.wall()
        )
        self._trail.note(entities.certificate_renewed, caller.principal, caller.address)
        return ext.RenewCertificateResponse(certificate=certificate, expiration_time=timestamp(end))


def role_of(number: ext.EnrolledRole) -> Invited:
    """The role of the wire. Raises INVALID."""
    if number not in _ROLES:
        raise OpenShellError(Code.INVALID, "the role is missing or unknown", hint="use user, host or proxy")
    return _ROLES[number]


def principal_message(record: PrincipalRecord) -> ext.Principal:
    """One who came, as others are told."""
    message = ext.Principal(
        role=_NUMBERS[record.role],
        name=record.name,
        scopes=sorted(record.scopes),
        invited_by=record.invited_by,
        created_time=timestamp(record.created_at),
        expiration_time=timestamp(record.expires_at),
    )
    if record.revoked_at is not None:
        message.revoked_time.CopyFrom(timestamp(record.revoked_at))
    return message


def invitation_message(record: InvitationRecord, revoked_at: float | None = None) -> ext.Principal:
    """One who is waited for."""
    message = ext.Principal(
        role=_NUMBERS[record.role],
        name=record.name,
        scopes=sorted(record.scopes),
        invited_by=record.invited_by,
        created_time=timestamp(record.created_at),
        expiration_time=timestamp(record.expires_at),
        invited=True,
    )
    if revoked_at is not None:
        message.revoked_time.CopyFrom(timestamp(revoked_at))
    return message
