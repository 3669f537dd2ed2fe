from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.api_tokens import DEFAULT_TTL, TokenBook, token_subject
from pyopenshell.model import Principal, Role
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.store import Store

ALICE = Principal("alice", Role.ADMIN)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[TokenBook]:
    store = await Store.open(sqlite_url(tmp_path / "gateway.db"))
    yield TokenBook(store.api_tokens)
    await store.close()


async def refused(book: TokenBook, token: str, words: str, now: float = 1.0) -> None:
    with pytest.raises(OpenShellError, match=words) as caught:
        await book.verify(token, now)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert not token or token not in str(caught.value)


async def test_a_token_is_a_user_of_its_own_with_its_scopes(book: TokenBook) -> None:
    token, record = await book.create(ALICE, "ci", ["exec", "ssh"], 0.0)
    assert record.subject == "alice"
    assert record.expires_at == DEFAULT_TTL
    principal = await book.verify(token, 1.0)
    assert principal == Principal(
        token_subject(record.id),
        Role.USER,
        frozenset({"exec", "ssh"}),
        provider="token",
        expires_at=DEFAULT_TTL,
        credential=record.id,
    )
    assert principal.role is not ALICE.role


async def test_the_token_itself_is_nowhere_in_the_database(book: TokenBook, tmp_path: Path) -> None:
    token, _ = await book.create(ALICE, "ci", [], 0.0)
    assert not [path.name for path in files(tmp_path) if token.encode() in path.read_bytes()]


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_it_ends_at_the_second_and_0_is_no_end(book: TokenBook) -> None:
    token, _ = await book.create(ALICE, "short", [], 0.0, ttl=10.0)
    await book.verify(token, 9.999)
    assert (await book.verify(token, 9.0)).expires_at == 10.0
    await refused(book, token, "has expired", 10.0)
    token, record = await book.create(ALICE, "long", [], 0.0, ttl=0)
    assert record.expires_at is None
    await book.verify(token, 1e12)


async def test_a_revoked_one_is_refused_from_that_call_on(book: TokenBook) -> None:
    token, record = await book.create(ALICE, "ci", [], 0.0)
    await book.revoke("ci", 5.0)
    await refused(book, token, "was revoked")
    assert [item.revoked_at for item in await book.list()] == [5.0]
    again, second = await book.create(ALICE, "ci", [], 6.0)
    assert second.id != record.id
    await book.verify(again, 7.0)
    await refused(book, token, "was revoked")


@pytest.mark.parametrize("token", ["", "x", "oss_" + "a" * 43, "ost_" + "a" * 43, "ost_' OR 1=1 --"])
async def test_the_unknown(book: TokenBook, token: str) -> None:
    await book.create(ALICE, "ci", [], 0.0)
    await refused(book, token, "is unknown")


@pytest.mark.parametrize(
    ("name", "scopes", "ttl", "code"),
    [
        ("A", [], None, Code.INVALID),
        ("a/b", [], None, Code.INVALID),
        ("", [], None, Code.INVALID),
        ("ci", ["root"], None, Code.INVALID),
        ("ci", [], -1.0, Code.INVALID),
        ("ci", [], float("nan"), Code.INVALID),
        ("taken", [], None, Code.CONFLICT),
    ],
)
async def test_what_cannot_be_made_leaves_nothing(book: TokenBook, name: str, scopes, ttl, code: Code) -> None:
    await book.create(ALICE, "taken", [], 0.0)
    with pytest.raises(OpenShellError) as caught:
        await book.create(ALICE, name, scopes, 0.0, ttl=ttl)
    assert caught.value.code is code
    assert [record.name for record in await book.list()] == ["taken"]
