from __future__ import annotations

import dataclasses

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import SshTarget, TcpTarget, new_id
from pyopenshell.store.ssh_sessions import SshSessionRecord
from pyopenshell.store.store import Store


def session(sandbox_id: str, digit: str = "a", **fields) -> SshSessionRecord:
    return SshSessionRecord(
        **{"token_hash": digit * 64, "sandbox_id": sandbox_id, "subject": "alice", "created_at": 10.0, **fields}
    )


@pytest.mark.parametrize(
    "target", [None, SshTarget(), SshTarget("ssh-ed25519 AAAA"), TcpTarget("127.0.0.1", 80), TcpTarget("::1", 65535)]
)
async def test_what_is_written_is_read_back(store: Store, sandbox, target) -> None:
    made = await store.sandboxes.create(sandbox())
    record = session(made.id, target=target, expires_at=20.0, max_connections=7)
    await store.ssh_sessions.create(record)
    assert await store.ssh_sessions.find(record.token_hash) == record
    assert await store.ssh_sessions.find("b" * 64) is None


async def test_no_session_for_a_sandbox_that_is_gone(store: Store) -> None:
    with pytest.raises(OpenShellError) as caught:
        await store.ssh_sessions.create(session(new_id()))
    assert caught.value.code is Code.NOT_FOUND


async def test_sessions_go_with_their_sandbox(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    await store.ssh_sessions.create(session(made.id))
    await store.sandboxes.delete(made.id)
    assert await store.ssh_sessions.find("a" * 64) is None


async def test_the_first_revocation_counts_and_the_unknown_is_none(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    record = session(made.id)
    await store.ssh_sessions.create(record)
    assert await store.ssh_sessions.revoke("a" * 64, 30.0) == dataclasses.replace(record, revoked_at=30.0)
    assert await store.ssh_sessions.revoke("a" * 64, 40.0) == dataclasses.replace(record, revoked_at=30.0)
    assert await store.ssh_sessions.revoke("b" * 64, 40.0) is None


async def test_revoke_of_a_subject_takes_its_living_ones_alone(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    await store.ssh_sessions.create(session(made.id, "a"))
    await store.ssh_sessions.create(session(made.id, "b", revoked_at=11.0))
    await store.ssh_sessions.create(session(made.id, "c", subject="bob"))
    assert await store.ssh_sessions.revoke_of("alice", 30.0) == ["a" * 64]
    assert await store.ssh_sessions.revoke_of("alice", 31.0) == []
    kept = await store.ssh_sessions.find("c" * 64)
    assert kept is not None
    assert kept.revoked_at is None


async def test_the_reaper_deletes_by_predicate_at_the_very_second(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    for digit, fields in {
        "1": {"expires_at": 49.999},
        "2": {"expires_at": 50.0},
        "3": {"expires_at": 50.001},
        "4": {"expires_at": None},
        "5": {"expires_at": None, "revoked_at": 12.0},
    }.items():
        await store.ssh_sessions.create(session(made.id, digit, **fields))
    assert await store.ssh_sessions.delete_dead(50.0) == 3
    left = [digit for digit in "12345" if await store.ssh_sessions.find(digit * 64)]
    assert left == ["3", "4"]
    assert await store.ssh_sessions.delete_dead(50.0) == 0


async def test_the_reaper_is_not_held_up_by_numbers(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    for number in range(1200):  # more than any page or batch
        await store.ssh_sessions.create(session(made.id, token_hash=f"{number:064x}", expires_at=1.0))
    assert await store.ssh_sessions.delete_dead(2.0) == 1200
