"""The principals table: users, sandbox hosts and proxies that were invited and came, each with the key that they came with.

A certificate counts only where a living row of its role and name has its key's hash: so a name may be used again after a
revocation, and its old certificate may not. Of the living there is one of each name in each role. Ended rows stay.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, Connection, Index, Row, String, Table, Text, delete, insert, select, update

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.database import Database
from pyopenshell.store.invitations import InvitationRecord, invitations, read_invitation
from pyopenshell.store.schema import Seconds, metadata

principals = Table(
    "principals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("role", String(8), nullable=False),
    Column("name", String(63), nullable=False),
    Column("key_hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("revoked_at", Seconds),
    Index("principals_name", "role", "name"),
)


@dataclass(frozen=True, slots=True)
class PrincipalRecord:
    """One who came. `key_hash` is the sha256 of the public key (SubjectPublicKeyInfo) in hex; `expires_at` is the end of the
    newest certificate. Empty `scopes` means all that the role may. Times in seconds since the epoch.
    """

    id: str
    role: str
    name: str
    key_hash: str
    invited_by: str
    created_at: float
    expires_at: float
    scopes: frozenset[str] = frozenset()
    revoked_at: float | None = None


class Principals:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enrol(
        self, code_hash: str, make: Callable[[InvitationRecord], PrincipalRecord], now: float
    ) -> PrincipalRecord:
        """Use the invitation up and insert what `make` makes of it (called on the worker thread), in one transaction.

        Raises UNAUTHENTICATED (unknown, used, expired), CONFLICT (the name lives), and what `make` raises; then nothing is
        written and the invitation is as it was.
        """

        def work(connection: Connection) -> PrincipalRecord:
            invitation = _check(read_invitation(connection, code_hash), now)
            record = make(invitation)
            if _living(connection, record.role, record.name) is not None:
                raise name_taken(record.role, record.name)
            used = update(invitations).where(invitations.c.hash == code_hash)
            connection.execute(used.values(used_at=now, name=record.name))
            connection.execute(insert(principals).values(_to_row(record)))
            return record

        return await self._database.run(work)

    async def living(self, role: str, name: str) -> PrincipalRecord | None:
        """Who is not revoked, by role and name; the certificate may have expired all the same."""
        return await self._database.run(lambda connection: _living(connection, role, name))

    async def list(self) -> builtins.list[PrincipalRecord]:
        """All, newest first."""
        query = select(principals).order_by(principals.c.created_at.desc(), principals.c.id)
        return [_from_row(row) for row in await self._database.run(lambda c: c.execute(query).all())]

    async def renewed(self, principal_id: str, expires_at: float) -> None:
        """A newer certificate ends then. Raises NOT_FOUND where there is none, or it was revoked."""
        statement = (
            update(principals)
            .where(principals.c.id == principal_id, principals.c.revoked_at.is_(None))
            .values(expires_at=expires_at)
        )
        if not await self._database.run(lambda connection: connection.execute(statement).rowcount):
            raise OpenShellError(Code.NOT_FOUND, "this principal was revoked")

    async def revoke(
        self, name: str, role: str | None, now: float
    ) -> tuple[PrincipalRecord | None, builtins.list[InvitationRecord]]:
        """Mark as revoked, and take the open invitations of that name back: who was revoked, and the invitations.

        Raises NOT_FOUND where there is neither, CONFLICT where `role` is None and the name is of more than one role.
        """

        def work(connection: Connection) -> tuple[PrincipalRecord | None, builtins.list[InvitationRecord]]:
            of = _named(connection, name, role, now)
            roles = sorted({record.role for group in of for record in group})
            if not roles:
                raise OpenShellError(
                    Code.NOT_FOUND, f"there is no principal {name[:80]!r}", hint="see 'openshell gateway users'"
                )
            if len(roles) > 1:
                raise OpenShellError(
                    Code.CONFLICT, f"{name!r} is the name of a {' and of a '.join(roles)}", hint="say which with --role"
                )
            living, invited = of
            for invitation in invited:
                connection.execute(delete(invitations).where(invitations.c.hash == invitation.hash))
            if not living:
                return None, invited
            connection.execute(update(principals).where(principals.c.id == living[0].id).values(revoked_at=now))
            return dataclasses.replace(living[0], revoked_at=now), invited

        return await self._database.run(work)


def name_taken(role: str, name: str) -> OpenShellError:
    """What whoever wants the name of a living one is told."""
    return OpenShellError(
        Code.CONFLICT,
        f"there is a {role} {name!r} already",
        hint=f"choose another name, or revoke that one: 'openshell gateway revoke {name}'",
    )


def _check(found: InvitationRecord | None, now: float) -> InvitationRecord:
    if found is None:
        raise _refused("it is unknown")
    if found.used_at is not None:
        raise _refused("it was used already")
    if found.expires_at <= now:
        raise _refused("it has expired")
    return found


def _refused(reason: str) -> OpenShellError:
    return OpenShellError(
        Code.UNAUTHENTICATED,
        f"the invitation is not valid: {reason}",
        hint="ask the gateway's owner for another one: 'openshell gateway invite'",
    )


def _living(connection: Connection, role: str, name: str) -> PrincipalRecord | None:
    query = select(principals).where(
        principals.c.role == role, principals.c.name == name, principals.c.revoked_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _from_row(row)


def _named(
    connection: Connection, name: str, role: str | None, now: float
) -> tuple[list[PrincipalRecord], list[InvitationRecord]]:
    """The living principals and the open invitations of this name."""
    living = select(principals).where(principals.c.name == name, principals.c.revoked_at.is_(None))
    invited = select(invitations.c.hash).where(
        invitations.c.name == name, invitations.c.used_at.is_(None), invitations.c.expires_at > now
    )
    if role is not None:
        living, invited = living.where(principals.c.role == role), invited.where(invitations.c.role == role)
    found = [read_invitation(connection, code_hash) for code_hash in connection.execute(invited).scalars().all()]
    return [_from_row(row) for row in connection.execute(living)], [one for one in found if one is not None]


def _to_row(record: PrincipalRecord) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    values["scopes"] = sorted(record.scopes)
    return values


def _from_row(row: Row[Any]) -> PrincipalRecord:
    values = dict(row._mapping)
    values["scopes"] = frozenset(values["scopes"])
    return PrincipalRecord(**values)
