from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.secrets import TokenKind, new_token
from pyopenshell.gateway.session_tokens import GRANT_MAX, SessionTokens
from pyopenshell.model import ExecTarget, FilesTarget, Principal, Role, SshTarget, TcpTarget, new_id
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.store.store import Store

ALICE, BOB = Principal("alice", Role.USER), Principal("bob", Role.USER)
ROOT = Principal("root", Role.ADMIN)
WEB, OTHER = new_id(), new_id()
SSH, HTTP = SshTarget(), TcpTarget("127.0.0.1", 80)
KEYED = SshTarget("ssh-ed25519 AAAA")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(sqlite_url(tmp_path / "gateway.db"))
    for sandbox_id, name in ((WEB, "web"), (OTHER, "other")):
        await opened.sandboxes.create(SandboxRecord(id=sandbox_id, name=name, created_at=0.0))
    yield opened
    await opened.close()


@pytest.fixture
def tokens(store: Store) -> SessionTokens:
    return SessionTokens(store.ssh_sessions, ttl=100.0)


async def refused(
    tokens: SessionTokens, words: str, token: str, sandbox=WEB, principal=ALICE, target=SSH, now=1.0
) -> None:
    with pytest.raises(OpenShellError, match=words) as caught:
        await tokens.verify(token, sandbox, principal, target, now)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert not token or token not in str(caught.value)


async def test_a_token_is_good_for_its_sandbox_its_principal_and_its_time(tokens: SessionTokens) -> None:
    token, record = await tokens.create(WEB, ALICE, 0.0)
    assert record.expires_at == 100.0
    assert await tokens.verify(token, WEB, ALICE, SSH, 99.999) == record
    assert await tokens.verify(token, WEB, ALICE, HTTP, 0.0) == record
    await refused(tokens, "has expired", token, now=100.0)
    await refused(tokens, "another sandbox", token, sandbox=OTHER)
    await refused(tokens, "another principal", token, principal=BOB)
    await refused(tokens, "another principal", token, principal=ROOT)


async def test_the_token_itself_is_nowhere_in_the_database(tokens: SessionTokens, tmp_path: Path) -> None:
    token, _ = await tokens.create(WEB, ALICE, 0.0)
    assert not [path.name for path in files(tmp_path) if token.encode() in path.read_bytes()]


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


@pytest.mark.parametrize("token", ["", "x", "ost_" + "a" * 43, "oss_" + "a" * 43, "oss_" + "ä" * 43, "x" * 10**6])
async def test_the_empty_the_unknown_and_another_kind(tokens: SessionTokens, token: str) -> None:
    await refused(tokens, "none was given" if not token else "unknown", token)


async def test_an_api_token_is_no_session(tokens: SessionTokens) -> None:
    await refused(tokens, "unknown", new_token(TokenKind.API))


async def test_a_life_of_0_has_no_end(store: Store) -> None:
    tokens = SessionTokens(store.ssh_sessions, ttl=0)
    token, record = await tokens.create(WEB, ALICE, 0.0)
    assert record.expires_at is None
    await tokens.verify(token, WEB, ALICE, SSH, 1e12)


@pytest.mark.parametrize(
    ("bound", "good", "bad"),
    [
        (None, [SSH, KEYED, HTTP, TcpTarget("::1", 1)], [ExecTarget(), FilesTarget()]),
        (SSH, [SSH, KEYED], [HTTP, ExecTarget(), FilesTarget()]),
        (KEYED, [KEYED], [SSH, SshTarget("ssh-ed25519 BBBB"), HTTP]),
        (
            HTTP,
            [HTTP, TcpTarget("localhost", 80)],
            [TcpTarget("127.0.0.1", 81), TcpTarget("::1", 80), SSH, ExecTarget()],
        ),
    ],
)
async def test_a_token_for_one_target_is_good_for_that_alone(tokens: SessionTokens, bound, good, bad) -> None:
    token, _ = await tokens.create(WEB, ALICE, 0.0, target=bound)
    for target in good:
        await tokens.verify(token, WEB, ALICE, target, 1.0)
    for target in bad:
        await refused(tokens, "alone|good for", token, target=target)


@pytest.mark.parametrize(("asked", "granted"), [(0, 0), (1, 1), (GRANT_MAX, GRANT_MAX), (GRANT_MAX + 1, GRANT_MAX)])
async def test_connections_are_granted_up_to_the_ceiling(tokens: SessionTokens, asked: int, granted: int) -> None:
    assert (await tokens.create(WEB, ALICE, 0.0, max_connections=asked))[1].max_connections == granted


async def test_a_token_that_cannot_be_made(tokens: SessionTokens) -> None:
    with pytest.raises(OpenShellError) as caught:
        await tokens.create(new_id(), ALICE, 0.0)
    assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(OpenShellError) as caught:
        await tokens.create(WEB, ALICE, 0.0, max_connections=-1)
    assert caught.value.code is Code.INVALID


async def test_revocation(tokens: SessionTokens) -> None:
    token, record = await tokens.create(WEB, ALICE, 0.0)
    assert await tokens.revoke(token, BOB, 5.0) is None
    await tokens.verify(token, WEB, ALICE, SSH, 6.0)
    revoked = await tokens.revoke(token, ALICE, 7.0)
    assert revoked is not None
    assert (revoked.token_hash, revoked.revoked_at) == (record.token_hash, 7.0)
    await refused(tokens, "was revoked", token, now=8.0)
    assert await tokens.revoke("oss_" + "b" * 43, ALICE, 9.0) is None
    assert await tokens.revoke("nonsense", ROOT, 9.0) is None


async def test_an_admin_revokes_anybodys(tokens: SessionTokens) -> None:
    token, _ = await tokens.create(WEB, ALICE, 0.0)
    assert await tokens.revoke(token, ROOT, 5.0) is not None
    await refused(tokens, "was revoked", token)


async def test_the_reaper_leaves_what_lives(tokens: SessionTokens) -> None:
    lives, _ = await tokens.create(WEB, ALICE, 50.0)
    ended, _ = await tokens.create(WEB, ALICE, 0.0)
    gone, _ = await tokens.create(WEB, ALICE, 50.0)
    await tokens.revoke(gone, ALICE, 60.0)
    assert await tokens.reap(100.0) == 2
    await tokens.verify(lives, WEB, ALICE, SSH, 100.0)
    await refused(tokens, "unknown", ended, now=100.0)
