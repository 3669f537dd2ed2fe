"""API tokens that end while their calls are open: each call holds a lease, which ends with its token.

What opens later in a call asks `Lease.check` (`Caller.may` does), so that a stream let in before a revocation opens
nothing after it. A stream that only tells (WatchSandbox) is cut by `Lease.cutting`; relays end by their own ties
(`relay/switchboard.py`), which also know how to tell both legs. Certificates and sockets have no lease: they do not end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.api_tokens import PROVIDER
from pyopenshell.model import Principal


class Lease:
    """What one call has of its credential. `ended` says why it is over."""

    def __init__(self) -> None:
        self.ended: OpenShellError | None = None
        self._tell: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Raise UNAUTHENTICATED where the credential has ended since the call was let in."""
        if self.ended is not None:
            raise self.ended

    def end(self, reason: str) -> None:
        """The credential ends; the first reason counts."""
        if self.ended is None:
            self.ended = OpenShellError(
                Code.UNAUTHENTICATED, f"the API token {reason}", hint="make one with 'openshell token create'"
            )
            self._tell()

    @asynccontextmanager
    async def cutting(self) -> AsyncIterator[None]:
        """Cancel the body when the lease ends, and raise UNAUTHENTICATED with the reason."""
        self.check()
        try:
            async with asyncio.timeout(None) as timeout:
                self._tell = lambda: timeout.reschedule(asyncio.get_running_loop().time())
                yield
        except TimeoutError:
            if timeout.expired():
                self.check()
            raise
        finally:
            self._tell = lambda: None


class Leases:
    """The leases of all calls that are open. `wall` is the clock of the tokens' ends."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._held: dict[str, set[Lease]] = {}
        self._revoked: set[str] = set()  # of this process's life: a revocation may come while a token is looked up

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[Lease]:
        """A lease for the time of one call."""
        lease = Lease()
        if principal.provider != PROVIDER:
            yield lease
            return
        subject = principal.subject
        if subject in self._revoked:
            lease.end("was revoked")
        timer = None
        if principal.expires_at is not None:
            left = max(0.0, principal.expires_at - self._wall())
            timer = asyncio.get_running_loop().call_later(left, lease.end, "has expired")
        held = self._held.setdefault(subject, set())
        held.add(lease)
        try:
            yield lease
        finally:
            if timer is not None:
                timer.cancel()
            held.discard(lease)
            if not held and self._held.get(subject) is held:
                del self._held[subject]

    def revoke(self, subject: str) -> None:
        """The token that this principal is was revoked."""
        self._revoked.add(subject)
        for lease in tuple(self._held.get(subject, ())):
            lease.end("was revoked")
