"""Credentials that end while their calls are open: each call holds a lease, which ends with its token or enrolment.

What opens later in a call asks `Lease.check` (`Caller.may` does), so that a stream let in before a revocation opens
nothing after it. A stream that only tells (WatchSandbox) is cut by `Lease.cutting`; relays end by their own ties
(`relay/switchboard.py`), which also know how to tell both legs. What cannot be revoked (the owner, supervisors) has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.api_tokens import PROVIDER
from pyopenshell.model import Principal

#: What a credential is called, and the cure, by `Principal.provider`.
_WORDS = {
    PROVIDER: ("API token", "make one with 'openshell token create'"),
    "mtls": ("certificate", "ask the gateway's owner for an invitation: 'openshell gateway invite'"),
}


class Lease:
    """What one call has of its credential. `ended` says why it is over."""

    def __init__(self, provider: str = PROVIDER) -> None:
        self._provider = provider
        self.ended: OpenShellError | None = None
        self._tell: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Raise UNAUTHENTICATED where the credential has ended since the call was let in."""
        if self.ended is not None:
            raise self.ended

    def end(self, reason: str) -> None:
        """The credential ends; the first reason counts."""
        if self.ended is None:
            what, cure = _WORDS[self._provider]
            self.ended = OpenShellError(Code.UNAUTHENTICATED, f"the {what} {reason}", hint=cure)
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
    """The leases of all calls that are open. `wall` is the clock of the credentials' ends."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._held: dict[str, set[Lease]] = {}
        self._revoked: set[str] = set()  # of this process's life: a revocation may come while one is looked up

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[Lease]:
        """A lease for the time of one call."""
        if not principal.credential:
            yield Lease()
            return
        lease, credential = Lease(principal.provider), principal.credential
        if credential in self._revoked:
            lease.end("was revoked")
        timer = None
        if principal.expires_at is not None:
            left = max(0.0, principal.expires_at - self._wall())
            timer = asyncio.get_running_loop().call_later(left, lease.end, "has expired")
        held = self._held.setdefault(credential, set())
        held.add(lease)
        try:
            yield lease
        finally:
            if timer is not None:
                timer.cancel()
            held.discard(lease)
            if not held and self._held.get(credential) is held:
                del self._held[credential]

    def check(self, principal: Principal) -> None:
        """Raise UNAUTHENTICATED where the credential of one who is remembered was revoked meanwhile."""
        if principal.credential in self._revoked:
            lease = Lease(principal.provider)
            lease.end("was revoked")
            lease.check()

    def revoke(self, credential: str) -> None:
        """What has this id was revoked."""
        self._revoked.add(credential)
        for lease in tuple(self._held.get(credential, ())):
            lease.end("was revoked")
