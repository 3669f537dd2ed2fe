"""Who was invited and came: their certificates are made, known again, renewed and revoked here.

A certificate counts where its row is: a living principal of that role and name, whose key it is. So a revocation needs no
list in TLS, a gateway that was restored from an old database says whom it does not know, and a name that is given again does
not bring its former bearer's certificate back to life. The row's id is `Principal.credential`.
"""

from __future__ import annotations

import builtins

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from pyopenshell.enrol.invitation import Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authority import Authority, read_request
from pyopenshell.gateway.certificates import ADMIN_UNIT, HOST_UNIT, PROXY_UNIT, USER_UNIT, Shown, key_hash, read_shown
from pyopenshell.gateway.invitations import check_principal_name
from pyopenshell.gateway.secrets import TokenKind, token_hash, token_kind
from pyopenshell.model import Principal, Role, new_id
from pyopenshell.store.invitations import InvitationRecord
from pyopenshell.store.principals import PrincipalRecord, Principals

UNITS = {Invited.USER: USER_UNIT, Invited.HOST: HOST_UNIT, Invited.PROXY: PROXY_UNIT}
#: Whom a certificate of this unit authenticates; a proxy's is nobody's.
ROLES = {USER_UNIT: (Invited.USER, Role.USER), HOST_UNIT: (Invited.HOST, Role.HOST)}


class PrincipalBook:
    """Makes and verifies them. Times are seconds since the epoch and passed in."""

    def __init__(self, table: Principals, authority: Authority, owner: str) -> None:
        self._table = table
        self._authority = authority
        self._owner = owner

    async def verify(self, certificate: bytes, now: float) -> Principal:
        """The principal of a client certificate that TLS has verified. Raises UNAUTHENTICATED with the reason."""
        shown = read_shown(certificate)
        if shown.expires_at <= now:
            raise _refused("the client certificate has expired", "enrol again with a new invitation")
        if shown.unit == ADMIN_UNIT and shown.name == self._owner:
            return Principal(shown.name, Role.ADMIN, provider="mtls")
        if shown.unit == PROXY_UNIT:
            raise _refused(
                "the certificate is a proxy's, which says nothing about who calls through it",
                "behind a proxy that ends TLS, callers show an API token: OPENSHELL_TOKEN",
            )
        record = await self._row(shown)
        _, role = ROLES[shown.unit]
        return Principal(
            principal_subject(record),
            role,
            record.scopes,
            provider="mtls",
            expires_at=shown.expires_at,
            credential=record.id,
        )

    async def enrol(
        self, code: str, request: bytes, name: str, role: Invited, now: float
    ) -> tuple[bytes, PrincipalRecord]:
        """Use an invitation up: the certificate in DER, and whom it names. `name` counts where the invitation has none.

        Raises UNAUTHENTICATED (the code), INVALID (role, name, signing request), CONFLICT (the name lives); then the
        invitation is as it was.
        """
        if token_kind(code) is not TokenKind.INVITATION:
            raise _refused("the invitation's code is damaged", "copy the whole line")
        certificates: list[bytes] = []

        def make(invitation: InvitationRecord) -> PrincipalRecord:
            if invitation.role != role:
                raise OpenShellError(Code.INVALID, f"the invitation is for a {invitation.role}, not for a {role}")
            called = check_principal_name(role, invitation.name or name)
            key = read_request(request)  # after the code: who has none costs us no signature
            certificate, end = self._authority.sign(key, UNITS[role], called, now)
            certificates.append(certificate)
            return PrincipalRecord(
                new_id(), role, called, key_hash(key), invitation.invited_by, now, end, invitation.scopes
            )

        record = await self._table.enrol(token_hash(code), make, now)
        return certificates[-1], record

    async def renew(
        self, principal: Principal, shown_der: bytes | None, request: bytes, now: float
    ) -> tuple[bytes, float]:
        """A new certificate for the key of the one that makes the call, and its end.

        Raises PRECONDITION for a caller without one, FORBIDDEN for another key, NOT_FOUND where it was revoked.
        """
        if principal.provider != "mtls" or shown_der is None:
            raise OpenShellError(Code.PRECONDITION, "only who calls with a certificate can renew it")
        shown, key = read_shown(shown_der), read_request(request)
        if key_hash(key) != shown.key_hash:
            raise OpenShellError(
                Code.FORBIDDEN, "the signing request is of another key than the certificate that makes the call"
            )
        return await self._renewed(principal, shown, key, now)

    async def _renewed(
        self, principal: Principal, shown: Shown, key: EllipticCurvePublicKey, now: float
    ) -> tuple[bytes, float]:
        certificate, end = self._authority.sign(key, shown.unit, shown.name, now)
        if principal.credential:
            await self._table.renewed(principal.credential, end)
        return certificate, end

    async def list(self) -> builtins.list[PrincipalRecord]:
        """All, newest first."""
        return await self._table.list()

    async def revoke(
        self, name: str, role: Invited | None, now: float
    ) -> tuple[PrincipalRecord | None, builtins.list[InvitationRecord]]:
        """Revoke: who it was, and the open invitations of that name, which are gone. Raises NOT_FOUND, CONFLICT."""
        return await self._table.revoke(name, role, now)

    async def _row(self, shown: Shown) -> PrincipalRecord:
        enrolled = ROLES.get(shown.unit)
        record = None if enrolled is None else await self._table.living(enrolled[0], shown.name)
        if record is None or record.key_hash != shown.key_hash:
            raise _refused(
                "the client certificate names nobody whom this gateway knows",
                "it was revoked, or is of another gateway or database: enrol again with a new invitation",
            )
        return record


def principal_subject(record: PrincipalRecord) -> str:
    """The subject of the principal that this one is."""
    return f"{record.role}:{record.name}"


def _refused(reason: str, hint: str) -> OpenShellError:
    return OpenShellError(Code.UNAUTHENTICATED, reason, hint=hint)
