"""The Enrolment service: open to all, generous to nobody."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pyopenshell.audit.base import Source
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.enrolment import ALL_BURST, MESSAGE_MAX, PEER_BURST, EnrolmentService, _peer
from pyopenshell.gateway.trail import Trail
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.support.enrolling import HOST, USER, enrol, invite, new_key, request_of, take
from tests.support.gateway_kit import Kit

CODE = "osi_" + "a2" * 16


async def refused(awaitable, words: str) -> Code:
    with pytest.raises(OpenShellError, match=words) as caught:
        await awaitable
    return caught.value.code


async def test_a_code_works_once(kit: Kit) -> None:
    code = (await invite(kit)).code
    await take(kit, code)
    assert await refused(take(kit, code, name="bob"), "used already") is Code.UNAUTHENTICATED


@pytest.mark.parametrize("code", [CODE, CODE.upper(), "", "osi_", "ost_" + "a" * 43, CODE + "x"])
async def test_codes_that_nobody_made(kit: Kit, code: str) -> None:
    assert await refused(take(kit, code), "unknown|damaged") is Code.UNAUTHENTICATED


async def test_what_is_refused_for_another_reason_leaves_the_invitation_open(kit: Kit) -> None:
    await enrol(kit, name="bob")
    code = (await invite(kit)).code
    assert await refused(take(kit, code, HOST, "lab1"), "is for a user, not for a host") is Code.INVALID
    assert await refused(take(kit, code, 0), "role") is Code.INVALID
    assert await refused(take(kit, code, name="Not A Name"), "name of a user") is Code.INVALID
    assert await refused(take(kit, code, name=""), "name of a user") is Code.INVALID
    assert await refused(take(kit, code, request=b"junk"), "cannot be read") is Code.INVALID
    assert await refused(take(kit, code, name="bob"), "already") is Code.CONFLICT
    assert (await take(kit, code)).response.principal.name == "ana"


async def test_hosts_are_not_called_as_the_gateways_own_machine(kit: Kit) -> None:
    code = (await invite(kit, HOST)).code
    for name in ("here", "local"):
        assert await refused(take(kit, code, HOST, name), "own machine") is Code.INVALID


def damaged(request: bytes) -> bytes:
    return request[:-1] + bytes([request[-1] ^ 1])


def signed(key) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"", "cannot be read"),
        (signed(ec.generate_private_key(ec.SECP384R1())), "not of P-256"),
        (signed(rsa.generate_private_key(65537, 2048)), "not of P-256"),
        (damaged(request_of(new_key())), "not signed by its own key|cannot be read"),
        (bytes(4097), "over the limit of 4096"),
    ],
)
async def test_signing_requests_that_are_not_signed_for(kit: Kit, request_: bytes, words: str) -> None:
    code = (await invite(kit)).code
    assert await refused(take(kit, code, request=request_), words) is Code.INVALID


async def test_what_a_request_says_of_its_bearer_is_not_looked_at(kit: Kit) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tester"),
                      x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "openshell-admin")])  # fmt: skip
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    request = builder.sign(new_key(), hashes.SHA256()).public_bytes(Encoding.DER)
    certificate = (await take(kit, (await invite(kit)).code, request=request)).certificate
    assert certificate.subject.rfc4514_string() == "CN=ana,OU=openshell-user,O=pyopenshell"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


async def test_failures_of_one_address_have_a_rate(kit: Kit) -> None:
    good = (await invite(kit)).code
    await take(kit, good)  # a success takes nothing
    channel = await kit.connect_tls(cert=False)
    for _ in range(PEER_BURST):
        assert await refused(take(kit, CODE, channel=channel), "unknown") is Code.UNAUTHENTICATED
    again = (await invite(kit)).code
    assert await refused(take(kit, again, name="bob", channel=channel), "too many") is Code.EXHAUSTED
    # The owner's own socket is another peer.
    assert (await take(kit, again, name="bob", channel=await kit.connect_owner())).response.principal.name == "bob"


def test_whose_failures_are_one_peers() -> None:
    assert _peer("192.0.2.7:5000") == _peer("192.0.2.7:5001") == _peer("::ffff:192.0.2.7:9")
    assert _peer("2001:db8::1:5000") == _peer("2001:db8::ffff:5001") != _peer("2001:db8:0:1::1:5000")
    assert _peer("unix") == "unix"
    assert ALL_BURST > PEER_BURST


async def test_who_asks_here_stays_a_stranger(kit: Kit) -> None:
    channel = await kit.connect_tls(cert=False)
    await take(kit, (await invite(kit)).code, channel=channel)
    tls = kit.gateway._servers[0]
    assert sorted(connection.known for connection in tls._connections) == [False, True]  # the owner's is known


async def test_a_message_is_bounded(kit: Kit) -> None:
    request = bytes(MESSAGE_MAX)
    assert await refused(take(kit, CODE, request=request), "over the limit") is Code.EXHAUSTED


async def test_nobody_enrols_at_the_supervisors_door(kit: Kit) -> None:
    with pytest.raises(RemoteError) as caught:
        await take(kit, CODE, channel=await kit.connect_far())
    assert caught.value.status is GrpcStatus.UNIMPLEMENTED


async def test_a_gateway_that_drains_enrols_nobody(kit: Kit) -> None:
    code = (await invite(kit)).code
    kit.gateway._draining.begin()
    assert await refused(take(kit, code), "stopping") is Code.UNAVAILABLE
    kit.gateway._draining._begun = False  # so that it is closed


async def test_failures_of_all_together_have_a_rate_too() -> None:
    class Book:
        async def enrol(self, *_: object) -> None:
            raise OpenShellError(Code.UNAUTHENTICATED, "the invitation is not valid: it is unknown")

    trail = Trail(None, Source("g", "1", "h"), lambda: 0.0)  # type: ignore[arg-type]
    trail.note = lambda *_, **__: None  # type: ignore[method-assign]
    service = EnrolmentService("test", None, Book(), trail, lambda: 0.0)  # type: ignore[arg-type]
    codes: Counter[Code] = Counter()
    for number in range(ALL_BURST + 5):
        call = SimpleNamespace(peer=SimpleNamespace(address=f"10.0.{number >> 8}.{number & 255}:1"))
        with pytest.raises(OpenShellError) as caught:
            await service.enrol(ext.EnrolRequest(role=USER, code=CODE), call)  # type: ignore[arg-type]
        codes[caught.value.code] += 1
    assert codes == {Code.UNAUTHENTICATED: ALL_BURST, Code.EXHAUSTED: 5}
