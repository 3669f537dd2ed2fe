from __future__ import annotations

from typing import Any

from pyopenshell.store.invitations import InvitationRecord
from pyopenshell.store.store import Store


def invitation(letter: str = "a", **fields: Any) -> InvitationRecord:
    return InvitationRecord(
        **{
            "hash": letter * 64,
            "role": "user",
            "name": "",
            "invited_by": "owner",
            "created_at": 100.0,
            "expires_at": 200.0,
            **fields,
        }
    )


async def test_the_open_ones_newest_first(store: Store) -> None:
    old, new = invitation("a", scopes=frozenset({"exec"})), invitation("b", created_at=150.0)
    gone, used = invitation("c", expires_at=160.0), invitation("d", used_at=120.0)
    for record in (old, new, gone, used):
        await store.invitations.create(record)
    assert await store.invitations.open(160.0) == [new, old]
    assert await store.invitations.open(200.0) == []


async def test_what_is_dead_for_long_goes(store: Store) -> None:
    for record in (
        invitation("a"),
        invitation("b", expires_at=900.0),
        invitation("c", expires_at=900.0, used_at=150.0),
    ):
        await store.invitations.create(record)
    assert await store.invitations.delete_dead(150.0) == 0
    assert await store.invitations.delete_dead(200.5) == 2
    assert [record.hash[0] for record in await store.invitations.open(300.0)] == ["b"]
