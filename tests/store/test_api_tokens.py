from __future__ import annotations

import dataclasses

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import new_id
from pyopenshell.store.api_tokens import ApiTokenRecord
from pyopenshell.store.store import Store


def token(name: str = "ci", **fields) -> ApiTokenRecord:
    identity = new_id()
    return ApiTokenRecord(
        **{
            "id": identity,
            "name": name,
            "subject": "alice",
            "token_hash": identity.replace("-", "") * 2,
            "created_at": 10.0,
            **fields,
        }
    )


async def test_what_is_written_is_read_back_and_found_by_hash(store: Store) -> None:
    made = token(scopes=frozenset({"exec", "ssh"}), expires_at=99.5)
    await store.api_tokens.create(made)
    assert await store.api_tokens.find(made.token_hash) == made
    assert await store.api_tokens.find("0" * 64) is None


async def test_list_is_newest_first(store: Store) -> None:
    old, young = token("old", created_at=1.0), token("young", created_at=2.0)
    await store.api_tokens.create(old)
    await store.api_tokens.create(young)
    assert await store.api_tokens.list() == [young, old]


@pytest.mark.parametrize(
    ("first", "at", "free"),
    [
        ({}, 20.0, False),
        ({"expires_at": 20.0}, 19.9, False),
        ({"expires_at": 20.0}, 20.0, True),
        ({"revoked_at": 11.0}, 20.0, True),
    ],
)
async def test_a_name_is_taken_while_its_token_lives(store: Store, first, at: float, free: bool) -> None:
    await store.api_tokens.create(token(**first))
    second = token(created_at=at)
    if free:
        await store.api_tokens.create(second)
        assert len(await store.api_tokens.list()) == 2
    else:
        with pytest.raises(OpenShellError, match="token 'ci' already exists") as caught:
            await store.api_tokens.create(second)
        assert caught.value.code is Code.CONFLICT


async def test_revoke_by_id_and_by_name_and_the_first_time_counts(store: Store) -> None:
    made = token()
    await store.api_tokens.create(made)
    ended = dataclasses.replace(made, revoked_at=30.0)
    assert await store.api_tokens.revoke("ci", 30.0) == ended
    assert await store.api_tokens.revoke(made.id, 40.0) == ended
    assert await store.api_tokens.find(made.token_hash) == ended


async def test_revoke_by_name_means_the_living_one(store: Store) -> None:
    old, young = token(created_at=1.0, revoked_at=2.0), token(created_at=3.0)
    await store.api_tokens.create(old)
    await store.api_tokens.create(young)
    assert (await store.api_tokens.revoke("ci", 9.0)).id == young.id


async def test_revoke_of_the_unknown_is_not_found(store: Store) -> None:
    with pytest.raises(OpenShellError, match="does not exist") as caught:
        await store.api_tokens.revoke("nothing", 1.0)
    assert caught.value.code is Code.NOT_FOUND


async def test_delete_dead_takes_what_ended_before(store: Store) -> None:
    kept = [token("a"), token("b", expires_at=50.0), token("c", revoked_at=50.0)]
    for record in [*kept, token("d", expires_at=49.0), token("e", revoked_at=49.0)]:
        await store.api_tokens.create(record)
    assert await store.api_tokens.delete_dead(50.0) == 2
    assert {record.name for record in await store.api_tokens.list()} == {"a", "b", "c"}
