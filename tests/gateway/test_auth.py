"""Door by credential, every pair; and every pair of credentials at once."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.api_tokens import DEFAULT_TTL, TokenBook
from pyopenshell.gateway.auth import Authenticator, Door
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.gateway.pki import ensure_pki
from pyopenshell.gateway.principals import PrincipalBook
from pyopenshell.gateway.secrets import TokenKind, new_token
from pyopenshell.model import Principal, Role, new_id
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.store import Store

NOW = 1_800_000_000.0
UID = 1000
BOX = new_id()


@dataclass
class World:
    auth: Authenticator
    api: str
    api_id: str
    jwt: str
    owner_cert: bytes
    stranger_cert: bytes
    server_cert: bytes
    book: TokenBook


def der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(sqlite_url(tmp_path / "gateway.db"))
    book = TokenBook(store.api_tokens)
    supervisors = SupervisorTokens(tmp_path / "pki", "local")
    api, record = await book.create(Principal("alice", Role.ADMIN), "ci", ["exec"], NOW)
    mine = ensure_pki(tmp_path / "pki", owner="alice", now=NOW)
    yield World(
        auth=Authenticator(
            owner="alice",
            owner_uid=UID,
            api_tokens=book,
            supervisor_tokens=supervisors,
            principals=PrincipalBook(store.principals, Authority(mine, DEFAULT_TTL), "alice"),
        ),
        api=api,
        api_id=record.id,
        jwt=supervisors.issue(BOX, NOW)[0],
        owner_cert=der(mine.client_cert),
        stranger_cert=der(ensure_pki(tmp_path / "second", owner="mallory", now=NOW).client_cert),
        server_cert=der(mine.server_cert),
        book=book,
    )
    await store.close()


async def call(world: World, door: Door, bearer: str | bytes | None = None, **peer) -> Principal:
    metadata: dict[str, str | bytes] = {} if bearer is None else {"authorization": bearer}
    return await world.auth.authenticate(door, metadata, NOW + 1, **peer)


async def refused(world: World, words: str, door: Door, bearer: str | bytes | None = None, **peer) -> None:
    with pytest.raises(OpenShellError, match=words) as caught:
        await call(world, door, bearer, **peer)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert world.api not in str(caught.value)
    assert world.jwt not in str(caught.value)


async def test_each_credential_at_each_door(world: World) -> None:
    owner = {provider: Principal("alice", Role.ADMIN, provider=provider) for provider in ("mtls", "unix")}
    user = Principal(
        f"token:{world.api_id}",
        Role.USER,
        frozenset({"exec"}),
        provider="token",
        expires_at=NOW + DEFAULT_TTL,
        credential=world.api_id,
    )
    supervisor = Principal(f"supervisor:{BOX}", Role.SUPERVISOR, sandbox_id=BOX, provider="jwt")
    credentials: dict[str, dict] = {
        "api": {"bearer": f"Bearer {world.api}"},
        "jwt": {"bearer": f"Bearer {world.jwt}"},
        "cert": {"cert_der": world.owner_cert},
        "uid": {"uid": UID},
        "nothing": {},
    }
    let_in = {
        (Door.TLS, "api"): user,
        (Door.TLS, "jwt"): supervisor,
        (Door.TLS, "cert"): owner["mtls"],
        (Door.OWNER, "api"): user,
        (Door.OWNER, "uid"): owner["unix"],
        (Door.FAR, "jwt"): supervisor,
    }
    for door, name in itertools.product(Door, credentials):
        if (door, name) in let_in:
            assert await call(world, door, **credentials[name]) == let_in[door, name]
        else:
            await refused(world, "is not|is of no kind|no credential", door, **credentials[name])


async def test_the_sockets_uid_opens_the_far_door_to_nobody(world: World) -> None:
    """In the shapes `single` and `subrange` a supervisor has the owner's own uid."""
    for uid in (UID, 0):
        await refused(world, "no credential", Door.FAR, uid=uid)


async def test_a_bad_token_is_not_saved_by_a_good_certificate_or_uid(world: World) -> None:
    for bad in ("Bearer ost_" + "a" * 43, "Bearer x", "Bearer ", "", "Basic YTpi", f"Bearer {world.jwt[:-5]}AAAAA"):
        await refused(world, "is not|is of no kind|no credential", Door.TLS, bad, cert_der=world.owner_cert)
        await refused(world, "is not|is of no kind|no credential", Door.OWNER, bad, uid=UID)


async def test_a_good_token_gains_nothing_from_the_owners_certificate(world: World) -> None:
    principal = await call(world, Door.TLS, f"Bearer {world.api}", cert_der=world.owner_cert)
    assert (principal.role, principal.scopes) == (Role.USER, {"exec"})
    principal = await call(world, Door.TLS, f"Bearer {world.jwt}", cert_der=world.owner_cert)
    assert principal.role is Role.SUPERVISOR


async def test_two_values_are_refused_and_not_chosen_from(world: World) -> None:
    for pair in (f"Bearer {world.api}, Bearer {world.api}", f"Bearer {world.api},{world.jwt}", f"Bearer {world.api} x"):
        await refused(world, "more than one", Door.TLS, pair)


async def test_a_word_that_is_no_token_is_told_what_one_looks_like(world: World) -> None:
    for door in (Door.TLS, Door.OWNER):
        with pytest.raises(OpenShellError, match=r"no kind that is known here .*begins with 'ost_'.*token create"):
            await call(world, door, "Bearer abc")
    with pytest.raises(OpenShellError, match="this socket is for supervisors"):
        await call(world, Door.FAR, "Bearer abc")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_schemes_name_is_read_in_any_case(world: World, scheme: str) -> None:
    assert (await call(world, Door.TLS, f"{scheme} {world.api}")).role is Role.USER


async def test_shapes_that_are_no_bearer(world: World) -> None:
    for value in (world.api, f"Bearer\t{world.api}", f"Token {world.api}", b"Bearer x", f"Bearer{world.api}"):
        await refused(world, "not 'Bearer TOKEN'", Door.TLS, value)


async def test_an_ssh_sessions_token_does_not_say_who_calls(world: World) -> None:
    await refused(world, "does not say who calls", Door.TLS, f"Bearer {new_token(TokenKind.SSH_SESSION)}")


async def test_a_revoked_and_an_expired_token(world: World) -> None:
    await world.book.revoke("ci", NOW)
    await refused(world, "was revoked", Door.TLS, f"Bearer {world.api}", cert_der=world.owner_cert)
    with pytest.raises(OpenShellError, match="has expired"):
        await world.auth.authenticate(Door.FAR, {"authorization": f"Bearer {world.jwt}"}, NOW + 1e9)


async def test_certificates_that_name_nobody_here(world: World) -> None:
    await refused(world, "nobody whom this gateway knows", Door.TLS, cert_der=world.stranger_cert)
    await refused(world, "one common name", Door.TLS, cert_der=world.server_cert)
    await refused(world, "one common name", Door.TLS, cert_der=b"\x30\x00")


async def test_another_users_uid_also_root_is_not_the_owner(world: World) -> None:
    for uid in (0, UID + 1, -1):
        await refused(world, f"uid {uid}", Door.OWNER, uid=uid)


async def test_a_certificate_counts_at_the_tls_door_alone(world: World) -> None:
    await refused(world, "no credential", Door.OWNER, cert_der=world.owner_cert)
    await refused(world, "no credential", Door.FAR, cert_der=world.owner_cert)
