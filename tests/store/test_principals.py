from __future__ import annotations

from collections.abc import Callable

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import new_id
from pyopenshell.store.invitations import InvitationRecord
from pyopenshell.store.principals import PrincipalRecord
from pyopenshell.store.store import Store
from tests.store.test_invitations import invitation


def comes(name: str = "ana", role: str = "user", key: str = "k") -> Callable[[InvitationRecord], PrincipalRecord]:
    def make(invited: InvitationRecord) -> PrincipalRecord:
        return PrincipalRecord(
            new_id(), role, invited.name or name, key * 64, invited.invited_by, 100.0, 900.0, invited.scopes
        )

    return make


async def enrol(store: Store, letter: str, name: str = "ana", role: str = "user") -> PrincipalRecord:
    await store.invitations.create(invitation(letter, role=role))
    return await store.principals.enrol(letter * 64, comes(name, role), 110.0)


async def refused(store: Store, letter: str, words: str, now: float = 120.0) -> Code:
    with pytest.raises(OpenShellError, match=words) as caught:
        await store.principals.enrol(letter * 64, comes(), now)
    return caught.value.code


async def test_a_code_makes_one_principal_once(store: Store) -> None:
    await store.invitations.create(invitation("a", scopes=frozenset({"exec", "ssh"})))
    made = await store.principals.enrol("a" * 64, comes(), 110.0)
    assert made.scopes == {"exec", "ssh"}
    assert await store.principals.living("user", "ana") == made
    assert await store.principals.list() == [made]
    assert await store.invitations.open(110.0) == []
    assert await refused(store, "a", "used already") is Code.UNAUTHENTICATED


async def test_codes_that_are_not_good(store: Store) -> None:
    await store.invitations.create(invitation("a"))
    assert await refused(store, "a", "has expired", 200.0) is Code.UNAUTHENTICATED
    assert await refused(store, "b", "unknown") is Code.UNAUTHENTICATED


async def test_a_name_that_lives_leaves_the_invitation_open(store: Store) -> None:
    await enrol(store, "a")
    await store.invitations.create(invitation("b"))
    assert await refused(store, "b", "there is a user 'ana' already") is Code.CONFLICT
    assert (await store.principals.enrol("b" * 64, comes("bob"), 120.0)).name == "bob"


async def test_what_fails_in_between_writes_nothing(store: Store) -> None:
    await store.invitations.create(invitation("a"))

    def fails(_invited: InvitationRecord) -> PrincipalRecord:
        raise OpenShellError(Code.INVALID, "not so")

    with pytest.raises(OpenShellError, match="not so"):
        await store.principals.enrol("a" * 64, fails, 110.0)
    assert len(await store.invitations.open(110.0)) == 1
    assert await store.principals.list() == []


async def test_a_name_is_free_again_after_a_revocation(store: Store) -> None:
    first = await enrol(store, "a")
    revoked, invited = await store.principals.revoke("ana", None, 150.0)
    assert revoked is not None
    assert (revoked.id, revoked.revoked_at, invited) == (first.id, 150.0, [])
    assert await store.principals.living("user", "ana") is None
    with pytest.raises(OpenShellError, match="revoked"):
        await store.principals.renewed(first.id, 999.0)
    second = await enrol(store, "b")
    assert await store.principals.living("user", "ana") == second
    assert len(await store.principals.list()) == 2


async def test_a_revocation_takes_open_invitations_of_that_name_back(store: Store) -> None:
    await enrol(store, "a")
    await store.invitations.create(invitation("b", name="ana"))
    await store.invitations.create(invitation("c", name="bob"))
    _, invited = await store.principals.revoke("ana", "user", 150.0)
    assert [one.hash[0] for one in invited] == ["b"]
    gone, invited = await store.principals.revoke("bob", None, 150.0)
    assert gone is None
    assert [one.name for one in invited] == ["bob"]
    assert await store.invitations.open(150.0) == []


async def test_which_of_two_is_revoked(store: Store) -> None:
    user, host = await enrol(store, "a"), await enrol(store, "b", role="host")
    with pytest.raises(OpenShellError, match="of a host and of a user") as caught:
        await store.principals.revoke("ana", None, 150.0)
    assert caught.value.code is Code.CONFLICT
    revoked, _ = await store.principals.revoke("ana", "host", 150.0)
    assert revoked is not None
    assert revoked.id == host.id
    assert await store.principals.living("user", "ana") == user
    for name, role in (("ana", "host"), ("nobody", None)):
        with pytest.raises(OpenShellError) as caught:
            await store.principals.revoke(name, role, 150.0)
        assert caught.value.code is Code.NOT_FOUND


async def test_a_newer_certificate(store: Store) -> None:
    made = await enrol(store, "a")
    await store.principals.renewed(made.id, 1900.0)
    found = await store.principals.living("user", "ana")
    assert found is not None
    assert found.expires_at == 1900.0
