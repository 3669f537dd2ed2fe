"""The supervisor's token: what every call to the gateway carries, made new at half of its life over the warm connection.

    token ── half of its life ── RefreshSandboxToken ─┬─ a new token, used by every call from now on
                                                      └─ refused, or no answer: again after a growing pause

The life is read from the token itself (RFC 7519 section 4.1: `iat`, `exp`), unverified: only the gateway can verify it, and
the supervisor need not. A token that cannot be read is replaced at once, because the answer tells when the new one ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

REFRESH_TOKEN = "/openshell.v1.OpenShell/RefreshSandboxToken"  # noqa: S105 - a path
REFRESH_TIMEOUT = 10.0  # seconds; the contract's deadline for an answer
LOOK_INTERVAL = (
    3600.0  # seconds between two looks at the clock: a machine that slept has missed the rest of a long wait
)
RETRY_FIRST, RETRY_MAX = 1.0, 600.0  # seconds, doubling: a thousand attempts in the second half of a week

log = logging.getLogger(__name__)


class Credential:
    """The token as metadata: iterate it for each call. As a companion of the session it keeps itself fresh."""

    def __init__(
        self,
        token: str,
        *,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._token = token
        self._wall = wall
        self._sleep = sleep
        self._due = half_life(token)
        self._pause = RETRY_FIRST

    def __repr__(self) -> str:
        return f"<Credential due at {self._due:.0f}>"

    def __iter__(self) -> Iterator[tuple[str, str]]:
        yield "authorization", f"Bearer {self._token}"

    async def __call__(self, channel: Channel) -> None:
        """Keep the token fresh over this connection until cancelled."""
        while True:
            wait = self._due - self._wall()
            if wait > 0:
                await self._sleep(min(wait, LOOK_INTERVAL))
                continue
            try:
                await self._refresh(channel)
            except OpenShellError as error:
                log.warning("the token was not made new, the next attempt is in %g s: %s", self._pause, error)
                await self._sleep(self._pause)
                self._pause = min(self._pause * 2, RETRY_MAX)

    async def _refresh(self, channel: Channel) -> None:
        request = pb.RefreshSandboxTokenRequest()
        answer = await channel.unary(
            REFRESH_TOKEN, request, pb.RefreshSandboxTokenResponse, metadata=self, timeout=REFRESH_TIMEOUT
        )
        token = answer.sandbox_token or answer.token
        if not token or not token.isprintable() or not token.isascii():
            raise OpenShellError(Code.BROKEN, "the gateway answered with no token")
        ends = answer.sandbox_expiration_time if answer.sandbox_token else answer.expiration_time
        now = self._wall()
        self._token = token
        self._due = now + max((ends.seconds - now) / 2, RETRY_FIRST)
        self._pause = RETRY_FIRST


def half_life(token: str) -> float:
    """When half of a JWT's life is over, in seconds since the epoch; 0 where it does not tell."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return (float(claims["iat"]) + float(claims["exp"])) / 2
    except (ValueError, LookupError, TypeError):
        return 0.0
