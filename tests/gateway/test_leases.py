"""Leases: they end with their token, whenever that is, and cut what waits."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.leases import Lease, Leases
from pyopenshell.model import Principal, Role

TOKEN = Principal("token:1", Role.USER, provider="token", credential="1")
OTHER = Principal("token:2", Role.USER, provider="token", credential="2")
OWNER = Principal("token:1", Role.ADMIN, provider="mtls")


def leases() -> Leases:
    return Leases(lambda: 100.0)


async def test_a_revocation_ends_every_lease_of_that_token_alone() -> None:
    book = leases()
    with book.hold(TOKEN) as one, book.hold(TOKEN) as two, book.hold(OTHER) as other, book.hold(OWNER) as owner:
        one.check()
        book.revoke("1")
        for lease in (one, two):
            with pytest.raises(OpenShellError, match="was revoked") as caught:
                lease.check()
            assert caught.value.code is Code.UNAUTHENTICATED
        other.check()
        owner.check()
    assert book._held == {}


async def test_a_token_that_was_revoked_while_it_was_looked_up() -> None:
    book = leases()
    book.revoke("1")
    with book.hold(TOKEN) as lease, pytest.raises(OpenShellError, match="was revoked"):
        lease.check()


@pytest.mark.parametrize("expires_at", [100.0, 1.0, 100.001])
async def test_a_lease_expires(expires_at: float) -> None:
    principal = Principal("token:1", Role.USER, provider="token", expires_at=expires_at, credential="1")
    with leases().hold(principal) as lease, pytest.raises(OpenShellError, match="has expired"):
        async with lease.cutting():
            await asyncio.Event().wait()


async def test_what_ends_before_its_lease_is_not_cut() -> None:
    with leases().hold(TOKEN) as lease:
        async with lease.cutting():
            pass
        lease.end("was revoked")
    with pytest.raises(TimeoutError):  # the body's own
        async with Lease().cutting():
            raise TimeoutError


async def test_an_enrolment_is_told_in_its_own_words() -> None:
    book = leases()
    user = Principal("user:ana", Role.USER, provider="mtls", credential="7")
    book.check(user)
    with book.hold(user) as lease:
        book.revoke("7")
        with pytest.raises(OpenShellError, match=r"the certificate was revoked.*gateway invite"):
            lease.check()
    with pytest.raises(OpenShellError, match="the certificate was revoked"):
        book.check(user)
    book.check(OWNER)


async def test_the_first_reason_counts() -> None:
    lease = Lease()
    lease.end("was revoked")
    lease.end("has expired")
    with pytest.raises(OpenShellError, match="was revoked"):
        async with lease.cutting():
            raise AssertionError("nothing begins after the end")


async def test_a_cancelled_body_is_cancelled() -> None:
    lease, inside = Lease(), asyncio.Event()

    async def wait() -> None:
        async with lease.cutting():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(wait())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
