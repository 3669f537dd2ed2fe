"""Who may use a gateway: invitations made, taken, listed, revoked.

`Enrolment` is the owner's side, calls to a gateway. `take_user` and `take_proxy` are the other machine's: the key is made
there and never leaves it, and nothing is written before the gateway has answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyopenshell.enrol.dialogue import ROLES, Enrolled, enrol
from pyopenshell.enrol.invitation import Address, Invitation, Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import private_directory, write_private
from pyopenshell.model import NAME_MAX
from pyopenshell.sdk.connection import CONNECT_TIMEOUT, EXTENSION, Connection
from pyopenshell.sdk.gateways import AUTH_MTLS, Endpoint, Gateway, Registry
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.renewal import RENEW_AFTER
from pyopenshell.sdk.types import moment
from pyopenshell.streams.proxies import FindProxy, direct
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

NOBODY = "user"  # what somebody is called whose login name has no letter that a name may have
PROXY = "proxy"  # what a proxy is called where nobody says it
_ROLE_OF = {number: role for role, number in ROLES.items()}


@dataclass(frozen=True, slots=True)
class Member:
    """A user, a sandbox host or a proxy that a gateway knows; with `invited` one who has not come yet."""

    role: str
    name: str
    scopes: tuple[str, ...]
    invited_by: str
    created: datetime | None
    expires: datetime | None
    revoked: datetime | None
    invited: bool

    @classmethod
    def of(cls, message: ext.Principal) -> Member:
        """From the wire; a role of a newer gateway is `unspecified`."""
        return cls(
            _ROLE_OF[message.role].value if message.role in _ROLE_OF else "unspecified",
            message.name,
            tuple(message.scopes),
            message.invited_by,
            moment(message, "created_time"),
            moment(message, "expiration_time"),
            moment(message, "revoked_time"),
            message.invited,
        )


class Enrolment:
    """Who may use one gateway. All raise what the gateway answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def invite(
        self,
        role: Invited = Invited.USER,
        *,
        name: str = "",
        scopes: Sequence[str] = (),
        ttl: float | None = None,
        addresses: Sequence[Address] = (),
    ) -> tuple[Invitation, datetime | None]:
        """An invitation and its end. `ttl` is in seconds, None is the gateway's default.

        `addresses` are where its taker finds the gateway; without any, what the gateway thinks, or how we reach it.
        """
        request = ext.CreateInvitationRequest(role=ROLES[role], name=name, scopes=scopes)
        if ttl is not None:
            request.ttl.FromNanoseconds(round(ttl * 1e9))
        made = await self._connection.call("CreateInvitation", request, ext.CreateInvitationResponse, service=EXTENSION)
        where = list(addresses) or [Address.parse(text) for text in made.addresses]
        if not where:
            ours = self._connection.gateway.endpoint
            where = [Address(ours.host, ours.port)]
        return Invitation.of(role, where, made.code, made.fingerprint), moment(made, "expiration_time")

    async def list(self) -> list[Member]:
        """Everybody, newest first, open invitations among them."""
        found = await self._connection.call(
            "ListPrincipals", ext.ListPrincipalsRequest(), ext.ListPrincipalsResponse, service=EXTENSION
        )
        return [Member.of(one) for one in found.principals]

    async def revoke(self, name: str, role: Invited | None = None) -> Member:
        """End what somebody may, and cut what they have open. Raises NOT_FOUND."""
        request = ext.RevokePrincipalRequest(name=name, role=ROLES[role] if role else ext.ENROLLED_ROLE_UNSPECIFIED)
        found = await self._connection.call("RevokePrincipal", request, ext.RevokePrincipalResponse, service=EXTENSION)
        return Member.of(found.principal)


async def take_user(
    paths: Paths,
    invitation: Invitation,
    *,
    name: str = "",
    user: str = "",
    timeout: float = CONNECT_TIMEOUT,
    find_proxy: FindProxy = direct,
) -> tuple[Gateway, Enrolled]:
    """Enrol here, and register the gateway as `name`, or as what it calls itself. `user` is who we would be.

    Raises CONFLICT for a name that is registered here, before anything is sent, and what `enrol` raises.
    """
    registry = Registry(paths)
    if name and registry.directory(name).name in registry.names():
        raise OpenShellError(
            Code.CONFLICT,
            f"gateway {name!r} is registered already",
            hint="choose another --name; the line is still good",
        )
    private_directory(paths.gateways)  # where nothing can be kept, the invitation is not used up
    found = await enrol(invitation, Invited.USER, name=user, timeout=timeout, find_proxy=find_proxy)
    gateway = registry.save(
        name or registry.free_name(found.gateway),
        Endpoint("https", found.address.host, found.address.port),
        is_remote=True,
        auth_mode=AUTH_MTLS,
        credentials=found.credentials,
        extra={RENEW_AFTER: found.validity.renew_after},
    )
    return gateway, found


async def take_proxy(
    directory: Path,
    invitation: Invitation,
    *,
    name: str = "",
    timeout: float = CONNECT_TIMEOUT,
    find_proxy: FindProxy = direct,
) -> Enrolled:
    """A proxy's certificate: ca.crt, tls.crt and tls.key in `directory`, and nothing registered.

    Raises CONFLICT where one of them is there already, before anything is sent, and what `enrol` raises.
    """
    for file in ("ca.crt", "tls.crt", "tls.key"):
        if (directory / file).exists():
            raise OpenShellError(
                Code.CONFLICT,
                f"{directory / file} exists already",
                hint="choose another directory; the line is still good",
            )
    private_directory(directory)
    found = await enrol(invitation, Invited.PROXY, name=name, timeout=timeout, find_proxy=find_proxy)
    for file, content in found.credentials.items():
        write_private(directory / file, content, durable=True)
    return found


def login_name(environ: Mapping[str, str]) -> str:
    """What a person is called where neither they nor the invitation say it: the login name, as a name may be."""
    login = environ.get("LOGNAME") or environ.get("USER") or ""
    return re.sub(r"[^a-z0-9]+", "-", login.lower())[:NAME_MAX].strip("-") or NOBODY
