"""Invited, enrolled, let in, renewed, revoked: on the wire, over real TLS."""

from __future__ import annotations

import asyncio
import json

import pytest
from google.protobuf.duration_pb2 import Duration

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.gateway.conftest import MakeKit
from tests.support.enrolling import HOST, PROXY, USER, Member, enrol, fingerprint, invite, new_key, request_of, take
from tests.support.fake_supervisor import SERVICE
from tests.support.gateway_kit import Kit, files, ssh

CUT = 1.0  # seconds; what the product promises for a revocation


async def who(kit: Kit, channel, **more) -> pb.GetCurrentUserResponse:
    return await kit.call(
        "GetCurrentUser", pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse, channel=channel, **more
    )


async def refused(awaitable, words: str) -> Code:
    with pytest.raises(OpenShellError, match=words) as caught:
        await awaitable
    return caught.value.code


async def revoke(kit: Kit, name: str = "ana", **fields: object) -> ext.Principal:
    request = ext.RevokePrincipalRequest(name=name, **fields)  # type: ignore[arg-type]
    return (await kit.extension("RevokePrincipal", request, ext.RevokePrincipalResponse)).principal


async def people(kit: Kit) -> list[ext.Principal]:
    answer = await kit.extension("ListPrincipals", ext.ListPrincipalsRequest(), ext.ListPrincipalsResponse)
    return list(answer.principals)


async def renew(kit: Kit, channel, request: bytes, **more) -> ext.RenewCertificateResponse:
    message = ext.RenewCertificateRequest(signing_request=request)
    return await kit.extension("RenewCertificate", message, ext.RenewCertificateResponse, channel=channel, **more)


async def test_an_invitation_says_where_and_by_what_the_gateway_is_known(make_kit: MakeKit) -> None:
    kit = await make_kit(server_names=("lab.example", "2001:db8::1", "*.lab.example"))
    made = await invite(kit)
    port = kit.gateway.port
    assert list(made.addresses) == [f"lab.example:{port}", f"[2001:db8::1]:{port}", f"127.0.0.1:{port}"]
    anyone = await kit.connect_tls(cert=False)
    path = "/pyopenshell.v1.Enrolment/GetAuthority"
    authority = await kit.call(path, ext.GetAuthorityRequest(), ext.GetAuthorityResponse, channel=anyone)
    assert fingerprint(authority.certificate) == made.fingerprint
    assert abs(authority.time.seconds - kit.gateway.trail.wall()) < 60


@pytest.mark.parametrize(
    ("role", "name", "scopes", "subject", "word"),
    [(USER, "ana", ["read"], "user:ana", "user"), (HOST, "lab1", [], "host:lab1", "host")],
)
async def test_who_enrols_is_somebody(kit: Kit, role, name, scopes, subject, word) -> None:
    member = await enrol(kit, role, name, scopes=scopes)
    assert member.response.gateway == "test"
    assert (member.response.principal.name, list(member.response.principal.scopes)) == (name, scopes)
    found = await who(kit, await member.connect(kit))
    assert (found.subject, list(found.roles), list(found.scopes)) == (subject, [word], scopes)


async def test_a_users_scopes_are_kept_to(kit: Kit) -> None:
    channel = await (await enrol(kit, scopes=["read"])).connect(kit)
    listed = kit.call("ListSandboxes", pb.ListSandboxesRequest(), pb.ListSandboxesResponse, channel=channel)
    assert not (await listed).sandboxes
    create = kit.call("CreateSandbox", pb.CreateSandboxRequest(name="x"), pb.SandboxResponse, channel=channel)
    assert await refused(create, "scope manage") is Code.FORBIDDEN
    another = kit.extension("CreateInvitation", ext.CreateInvitationRequest(role=USER), ext.CreateInvitationResponse,
                            channel=channel)  # fmt: skip
    assert await refused(another, "owner") is Code.FORBIDDEN


async def test_an_invitation_that_names_somebody_is_for_them(kit: Kit) -> None:
    member = await take(kit, (await invite(kit, name="bob")).code, name="ana")
    assert member.response.principal.name == "bob"


@pytest.mark.parametrize(
    "fields",
    [
        {"role": 0},
        {"role": 9},
        {"name": "a/b"},
        {"scopes": ["everything"]},
        {"role": HOST, "scopes": ["read"]},
        {"role": HOST, "name": "here"},
        {"role": HOST, "name": "local"},
        {"ttl": Duration()},
        {"ttl": Duration(seconds=-1)},
        {"ttl": Duration(seconds=7 * 86400 + 1)},
    ],
)
async def test_invitations_that_cannot_be(kit: Kit, fields: dict[str, object]) -> None:
    assert await refused(invite(kit, **{"role": USER, **fields}), ".") is Code.INVALID


async def test_a_name_that_lives_is_not_invited_again_until_it_is_revoked(kit: Kit) -> None:
    await enrol(kit)
    assert await refused(invite(kit, name="ana"), "already") is Code.CONFLICT
    await revoke(kit)
    old = await enrol(kit, name="ana")
    assert (await who(kit, await old.connect(kit))).subject == "user:ana"


async def test_a_formers_certificate_does_not_live_again_with_the_name(kit: Kit) -> None:
    former = await enrol(kit)
    await revoke(kit)
    await enrol(kit)
    assert await refused(who(kit, await former.connect(kit)), "names nobody whom this gateway knows") is (
        Code.UNAUTHENTICATED
    )


async def test_a_proxys_certificate_is_nobodys(kit: Kit) -> None:
    channel = await (await enrol(kit, PROXY, "edge")).connect(kit)
    assert await refused(who(kit, channel), "proxy's, which says nothing about who calls") is Code.UNAUTHENTICATED
    found = await who(kit, channel, metadata=await kit.api_token("read"))
    assert (found.identity_provider, list(found.roles), list(found.scopes)) == ("token", ["user"], ["read"])
    bad = who(kit, channel, metadata=[("authorization", "Bearer ost_" + "A" * 43)])
    assert await refused(bad, "API token is not valid") is Code.UNAUTHENTICATED
    renewal = renew(kit, channel, request_of(new_key()), metadata=await kit.api_token(name="two"))
    assert await refused(renewal, "only who calls with a certificate") is Code.PRECONDITION


async def test_renewal_is_for_the_same_key_alone(kit: Kit) -> None:
    member = await enrol(kit)
    channel = await member.connect(kit)
    made = await renew(kit, channel, request_of(member.key))
    again = Member(member.key, ext.EnrolResponse(certificate=made.certificate))
    assert again.certificate.serial_number != member.certificate.serial_number
    assert again.certificate.subject == member.certificate.subject
    assert again.certificate.not_valid_after_utc.timestamp() == made.expiration_time.seconds
    assert (await who(kit, await again.connect(kit))).subject == "user:ana"
    assert await refused(renew(kit, channel, request_of(new_key())), "another key") is Code.FORBIDDEN
    owner = await kit.connect_owner()
    assert await refused(renew(kit, owner, request_of(new_key())), "with a certificate") is Code.PRECONDITION


async def test_the_owner_renews_too(kit: Kit) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key((kit.settings.state / "pki" / "client.key").read_bytes(), None)
    made = await renew(kit, kit.channel, request_of(key))  # type: ignore[arg-type]
    found = await who(kit, await Member(key, ext.EnrolResponse(certificate=made.certificate)).connect(kit))  # type: ignore[arg-type]
    assert list(found.roles) == ["admin"]


async def test_the_list_has_who_came_who_went_and_who_is_awaited(kit: Kit) -> None:
    await enrol(kit, name="ana")
    await revoke(kit)
    await enrol(kit, HOST, "lab1")
    await invite(kit, name="bob")
    await invite(kit, PROXY, ttl=Duration(seconds=60))
    found = {(one.role, one.name, one.invited, one.HasField("revoked_time")) for one in await people(kit)}
    assert found == {
        (USER, "ana", False, True),
        (HOST, "lab1", False, False),
        (USER, "bob", True, False),
        (PROXY, "", True, False),
    }


async def test_an_invitation_is_taken_back(kit: Kit) -> None:
    code = (await invite(kit, name="bob")).code
    gone = await revoke(kit, "bob")
    assert gone.invited
    assert gone.HasField("revoked_time")
    assert await refused(take(kit, code), "unknown") is Code.UNAUTHENTICATED
    assert await refused(revoke(kit, "bob"), "no principal") is Code.NOT_FOUND


async def test_live_streams_end_with_a_revocation(kit: Kit) -> None:
    await kit.ready()
    member = await enrol(kit)
    channel = await member.connect(kit)
    bystander = await (await enrol(kit, name="bob")).connect(kit)
    session = await kit.call(
        "CreateSshSession", pb.CreateSshSessionRequest(sandbox="web"), pb.CreateSshSessionResponse, channel=channel
    )
    relay = await kit.forward(files("web"), channel)
    shell = await kit.forward(ssh("web", session.token), channel)
    other = await kit.forward(files("web"), bystander)
    for leg in (relay, shell, other):
        await leg.write(b"x")
        assert bytes(await leg.read()) == b"x"
    watch = channel.stream(f"{SERVICE}WatchSandbox", pb.WatchSandboxRequest(sandbox="web"), pb.SandboxStreamEvent)
    await anext(watch)
    await revoke(kit)
    async with asyncio.timeout(CUT):
        for leg in (relay, shell):
            with pytest.raises(OpenShellError):
                while await leg.read():
                    pass
        assert await refused(anext(watch), "certificate was revoked") is Code.UNAUTHENTICATED
        # The connection is up and was remembered a moment ago: it opens nothing more.
        assert await refused(who(kit, channel), "certificate was revoked") is Code.UNAUTHENTICATED
    assert await refused(who(kit, await member.connect(kit)), "names nobody|was revoked") is Code.UNAUTHENTICATED
    await other.write(b"y")
    assert bytes(await other.read()) == b"y"


async def test_a_gateway_restored_from_an_old_database_knows_nobody(kit: Kit) -> None:
    member = await enrol(kit)
    await kit.stop()
    (kit.settings.state / "gateway.db").unlink()
    for name in ("gateway.db-wal", "gateway.db-shm"):
        (kit.settings.state / name).unlink(missing_ok=True)
    await kit.start()
    words = r"names nobody whom this gateway knows.*enrol again"
    assert await refused(who(kit, await member.connect(kit)), words) is Code.UNAUTHENTICATED


async def test_what_was_enrolled_is_known_after_a_restart(kit: Kit) -> None:
    member = await enrol(kit)
    await kit.restart()
    assert (await who(kit, await member.connect(kit))).subject == "user:ana"


async def test_the_life_of_a_certificate_is_configured(make_kit: MakeKit) -> None:
    kit = await make_kit(certificate_ttl=86400.0)
    certificate = (await enrol(kit)).certificate
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.total_seconds() == 86400 + 3600


async def test_all_of_it_is_audited_and_no_code_is_told(kit: Kit) -> None:
    code = (await invite(kit)).code
    member = await take(kit, code)
    await renew(kit, await member.connect(kit), request_of(member.key))
    await refused(take(kit, code), "used already")
    await revoke(kit)
    await kit.gateway.stop()
    text = (kit.settings.state / "audit.jsonl").read_text()
    messages = [json.loads(line)["message"] for line in text.splitlines()]
    wanted = ["invitation user created", "user ana created", "certificate user:ana created",
              "caller of Enrol refused: unauthenticated", "user ana ended"]  # fmt: skip
    assert [message for message in messages if message in wanted] == wanted
    assert code not in text
