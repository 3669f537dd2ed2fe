"""Who calls? One credential, by rules that leave no choice, to one `Principal`.

| door | bearer `ost_…` | bearer JWT | client certificate | peer uid |
|---|---|---|---|---|
| TLS   | user | supervisor | by its subject | – |
| OWNER (gateway.sock, 0600) | user | – | – | owner, when it is the gateway's own |
| FAR (supervisor.sock, 0666) | – | supervisor | – | – |

A call with an `authorization` value is judged by it alone: when that is bad the call is refused, and no certificate or uid
that is there as well can save it, nor add to what the token may do. Two values are refused, not chosen from.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pyopenshell.gateway.api_tokens import TokenBook
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.model import Principal


class Door(StrEnum):
    """Where a call came in."""

    TLS = "tls"
    OWNER = "owner"
    FAR = "far"


class Authenticator:
    """Tells who calls. `owner` is the subject of the person whose gateway this is, `owner_uid` the gateway's own uid."""

    def __init__(self, *, owner: str, owner_uid: int, api_tokens: TokenBook, supervisor_tokens: SupervisorTokens) -> None:
        self._owner = owner
        self._owner_uid = owner_uid
        self._api_tokens = api_tokens
        self._supervisor_tokens = supervisor_tokens

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
        raise NotImplementedError
