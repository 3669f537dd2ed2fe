"""Who calls? One credential, by rules that leave no choice, to one `Principal`.

| door | bearer `ost_…` | bearer JWT | client certificate | peer uid |
|---|---|---|---|---|
| TLS   | user | supervisor | owner, or who enrolled with that key; a proxy's: nobody | – |
| OWNER (gateway.sock, 0600) | user | – | – | owner, when it is the gateway's own |
| FAR (supervisor.sock, 0666) | – | supervisor | – | – |

A call with an `authorization` value is judged by it alone: when that is bad the call is refused, and no certificate or uid
that is there as well can save it, nor add to what the token may do. Two values are refused, not chosen from.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.api_tokens import TokenBook
from pyopenshell.gateway.jwt import SupervisorTokens, looks_like_jwt
from pyopenshell.gateway.principals import PrincipalBook
from pyopenshell.gateway.secrets import TokenKind, token_kind
from pyopenshell.model import Principal, Role

BEARER = "bearer "  # RFC 6750 section 2.1; the scheme's name in any case, RFC 9110 section 11.1


class Door(StrEnum):
    """Where a call came in."""

    TLS = "tls"
    OWNER = "owner"
    FAR = "far"

    @property
    def peers(self) -> str:
        """Who connects there, for messages."""
        return "the supervisor" if self is Door.FAR else "the client"


#: Which bearer credentials each door knows.
API_TOKEN_DOORS = frozenset({Door.TLS, Door.OWNER})
SUPERVISOR_DOORS = frozenset({Door.TLS, Door.FAR})


class Authenticator:
    """Tells who calls. `owner` is the subject of the person whose gateway this is, `owner_uid` the gateway's own uid."""

    def __init__(
        self,
        *,
        owner: str,
        owner_uid: int,
        api_tokens: TokenBook,
        supervisor_tokens: SupervisorTokens,
        principals: PrincipalBook,
    ) -> None:
        self._owner = owner
        self._owner_uid = owner_uid
        self._api_tokens = api_tokens
        self._supervisor_tokens = supervisor_tokens
        self._principals = principals

    async def authenticate(
        self,
        door: Door,
        metadata: Mapping[str, str | bytes],
        now: float,
        *,
        cert_der: bytes | None = None,
        uid: int | None = None,
    ) -> Principal:
        """The caller. `cert_der` is the client certificate that TLS has verified against our CA; `uid` is SO_PEERCRED's.

        Raises UNAUTHENTICATED with the reason.
        """
        value = metadata.get("authorization")
        if value is not None:
            return await self._by_bearer(door, value, now)
        if door is Door.TLS and cert_der is not None:
            return await self._principals.verify(cert_der, now)
        if door is Door.OWNER and uid is not None:
            return self._by_uid(uid)
        raise _refused("the call carries no credential", _HINTS[door])

    async def _by_bearer(self, door: Door, value: str | bytes, now: float) -> Principal:
        if not isinstance(value, str) or value[: len(BEARER)].lower() != BEARER:
            raise _refused("'authorization' is not 'Bearer TOKEN'")
        token = value[len(BEARER) :]
        if "," in token or " " in token:  # two values of one name are joined so (RFC 9110 section 5.3)
            raise _refused("there is more than one 'authorization' value, and one credential decides")
        kind = token_kind(token)
        if kind is TokenKind.API and door in API_TOKEN_DOORS:
            return await self._api_tokens.verify(token, now)
        if kind is TokenKind.SSH_SESSION:
            raise _refused("an SSH session's token opens relays and does not say who calls")
        if kind is TokenKind.INVITATION:
            raise _refused("an invitation's code enrols somebody and does not say who calls")
        if kind is None and looks_like_jwt(token) and door in SUPERVISOR_DOORS:
            sandbox_id = self._supervisor_tokens.verify(token, now)
            return Principal(f"supervisor:{sandbox_id}", Role.SUPERVISOR, sandbox_id=sandbox_id, provider="jwt")
        raise _refused("the bearer token is of no kind that is known here", _BEARER_HINTS[door])

    def _by_uid(self, uid: int) -> Principal:
        if uid != self._owner_uid:
            raise _refused(f"the socket's peer has uid {uid}, and this gateway belongs to uid {self._owner_uid}")
        return Principal(self._owner, Role.ADMIN, provider="unix")


_HINTS = {
    Door.TLS: "use the gateway's client certificate, or an API token in OPENSHELL_TOKEN",
    Door.OWNER: "connect as the user who runs the gateway",
    Door.FAR: "this socket is for supervisors",
}

_BEARER_HINTS = {
    **dict.fromkeys(
        API_TOKEN_DOORS, f"an API token begins with {TokenKind.API.value!r}: 'openshell token create' makes one"
    ),
    Door.FAR: "this socket is for supervisors",
}


def _refused(reason: str, hint: str = "") -> OpenShellError:
    return OpenShellError(Code.UNAUTHENTICATED, reason, hint=hint)
