"""Invitations: made by the owner, shown once, good for one principal and for some time."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from pyopenshell.enrol.invitation import Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import check_scopes
from pyopenshell.gateway.secrets import TokenKind, new_token, token_hash
from pyopenshell.model import Principal, check_name
from pyopenshell.store.invitations import InvitationRecord
from pyopenshell.store.principals import name_taken
from pyopenshell.store.store import Store

DEFAULT_TTL = 3600.0  # seconds; extension.proto, CreateInvitationRequest.ttl
TTL_MAX = 7 * 24 * 3600.0
KEPT = 7 * 24 * 3600.0  # seconds that a dead one is still told from one that never was
#: What `--host` of a sandbox means by itself: the gateway's own machine.
NO_HOSTS = frozenset({"here", "local"})


class InvitationBook:
    """Makes and lists them. Times are seconds since the epoch and passed in."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(
        self,
        principal: Principal,
        role: Invited,
        name: str,
        scopes: Iterable[str],
        now: float,
        *,
        ttl: float | None = None,
    ) -> tuple[str, InvitationRecord]:
        """A new code (shown once) and its record. `ttl` None is an hour.

        Raises INVALID (name, scope, ttl), CONFLICT (the name is a living principal's).
        """
        life = DEFAULT_TTL if ttl is None else ttl
        if not 0 < life <= TTL_MAX:
            raise OpenShellError(Code.INVALID, f"ttl {life:.0f} s is out of range", hint="use 1s to 7d")
        granted = check_scopes(scopes)
        if granted and role is not Invited.USER:
            raise OpenShellError(Code.INVALID, f"scopes are for users, and this invites a {role}")
        if name and await self._store.principals.living(role, check_principal_name(role, name)) is not None:
            raise name_taken(role, name)
        await self._store.invitations.delete_dead(now - KEPT)
        code = new_token(TokenKind.INVITATION)
        record = InvitationRecord(token_hash(code), role, name, principal.subject, now, now + life, granted)
        await self._store.invitations.create(record)
        return code, record

    async def open(self, now: float) -> builtins.list[InvitationRecord]:
        """Those that nobody has used yet, newest first."""
        return await self._store.invitations.open(now)


def check_principal_name(role: Invited, name: str) -> str:
    """`name` where one of `role` can be called so; raise INVALID otherwise."""
    check_name(name, f"name of a {role}")
    if role is Invited.HOST and name in NO_HOSTS:
        raise OpenShellError(Code.INVALID, f"{name!r} means the gateway's own machine, so no host is called so")
    return name
