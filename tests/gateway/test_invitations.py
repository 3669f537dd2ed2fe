"""What is kept of an invitation, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.enrol.invitation import Invited
from pyopenshell.gateway.invitations import DEFAULT_TTL, KEPT, InvitationBook
from pyopenshell.gateway.secrets import TokenKind, token_hash, token_kind
from pyopenshell.model import Principal, Role
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.store import Store

OWNER = Principal("alice", Role.ADMIN)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(sqlite_url(tmp_path / "gateway.db"))
    yield opened
    await opened.close()


async def test_the_code_is_kept_as_its_hash_alone(store: Store) -> None:
    code, record = await InvitationBook(store).create(OWNER, Invited.USER, "", ["exec"], 100.0)
    assert token_kind(code) is TokenKind.INVITATION
    assert record.hash == token_hash(code)
    assert code not in repr(record)
    assert (record.expires_at, record.scopes, record.invited_by) == (100.0 + DEFAULT_TTL, {"exec"}, "alice")
    assert await InvitationBook(store).open(100.0) == [record]


async def test_dead_ones_go_when_new_ones_come(store: Store) -> None:
    book = InvitationBook(store)
    await book.create(OWNER, Invited.USER, "", [], 100.0)
    later = 100.0 + DEFAULT_TTL + KEPT + 1
    _, new = await book.create(OWNER, Invited.USER, "", [], later)
    assert await store.invitations.open(0.0) == [new]
