"""Whose certificate is whose: row, role, name and key have to agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pyopenshell.enrol.invitation import Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.certificates import ADMIN_UNIT, HOST_UNIT, PROXY_UNIT, USER_UNIT
from pyopenshell.gateway.invitations import InvitationBook
from pyopenshell.gateway.pki import ensure_pki
from pyopenshell.gateway.principals import PrincipalBook
from pyopenshell.model import Principal, Role
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.store import Store
from tests.support.enrolling import new_key, request_of

NOW = 1_800_000_000.0
DAY = 86400.0


@dataclass
class World:
    store: Store
    authority: Authority
    book: PrincipalBook

    async def enrol(self, role: Invited = Invited.USER) -> tuple[bytes, str]:
        code, _ = await InvitationBook(self.store).create(Principal("alice", Role.ADMIN), role, "", [], NOW)
        certificate, record = await self.book.enrol(code, request_of(new_key()), "ana", role, NOW)
        return certificate, record.id


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(sqlite_url(tmp_path / "gateway.db"))
    authority = Authority(ensure_pki(tmp_path / "pki", owner="alice", now=NOW), DAY)
    yield World(store, authority, PrincipalBook(store.principals, authority, "alice"))
    await store.close()


@pytest.mark.parametrize(("role", "is_"), [(Invited.USER, Role.USER), (Invited.HOST, Role.HOST)])
async def test_a_certificate_is_its_row(world: World, role: Invited, is_: Role) -> None:
    certificate, row = await world.enrol(role)
    found = await world.book.verify(certificate, NOW)
    assert found == Principal(f"{role}:ana", is_, provider="mtls", expires_at=NOW + DAY, credential=row)


@pytest.mark.parametrize(
    ("unit", "name"),
    [(USER_UNIT, "ana"), (HOST_UNIT, "ana"), (ADMIN_UNIT, "ana"), (PROXY_UNIT, "ana"), ("openshell-root", "alice")],
)
async def test_a_certificate_of_our_authority_that_has_no_row(world: World, unit: str, name: str) -> None:
    await world.enrol()
    certificate, _ = world.authority.sign(new_key().public_key(), unit, name, NOW)
    with pytest.raises(OpenShellError, match=r"names nobody|is a proxy's") as caught:
        await world.book.verify(certificate, NOW)
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_certificate_ends_also_on_a_connection_that_is_up(world: World) -> None:
    certificate, _ = await world.enrol()
    await world.book.verify(certificate, NOW + DAY - 1)
    with pytest.raises(OpenShellError, match="has expired"):
        await world.book.verify(certificate, NOW + DAY)
