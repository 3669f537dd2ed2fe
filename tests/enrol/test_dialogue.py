"""The two connections, and everything that can stand in for a gateway."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pyopenshell.enrol.dialogue import CLOCKS_APART, enrol
from pyopenshell.enrol.invitation import Address, Invited
from pyopenshell.enrol.keys import validity
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import listen_tcp
from pyopenshell.streams.proxies import Proxy
from tests.support.enrolment import CODE, Authority, EnrollingGateway
from tests.support.proxy_server import FakeProxy, proxying


async def refused(gateway: EnrollingGateway, kind: Code, told: str, **changes: object) -> OpenShellError:
    with pytest.raises(OpenShellError, match=told) as caught:
        await enrol(gateway.invitation(**changes), Invited.USER, name="ada")  # type: ignore[arg-type]
    assert caught.value.code is kind
    assert CODE not in str(caught.value)
    return caught.value


async def test_an_invitation_becomes_a_certificate(gateway: EnrollingGateway) -> None:
    gateway.scopes = ("exec",)
    found = await enrol(gateway.invitation(), Invited.USER, name="ada")
    assert (found.name, found.gateway, found.role, found.scopes) == ("ada", "lab", Invited.USER, ("exec",))
    assert found.address == Address("127.0.0.1", gateway.port)
    assert found.authority == gateway.authority.pem
    assert set(found.credentials) == {"ca.crt", "tls.crt", "tls.key"}
    assert validity(found.certificate) == found.validity
    assert gateway.asked == ["GetAuthority", "Enrol"]
    assert gateway.certificates == [None, None]
    assert "PRIVATE KEY" not in repr(found).replace(repr(found.certificate), "")


async def test_both_connections_go_through_a_proxy(gateway: EnrollingGateway) -> None:
    async with proxying(FakeProxy()) as proxy:
        way = Proxy("127.0.0.1", proxy.port)
        await enrol(gateway.invitation(), Invited.USER, name="ada", find_proxy=lambda host, port: way)
    assert len(proxy.requests) == 2


async def test_the_gateway_says_what_somebody_is_called(gateway: EnrollingGateway) -> None:
    gateway.gives = "grace"
    assert (await enrol(gateway.invitation(), Invited.USER, name="ada")).name == "grace"


async def test_for_another_role_nothing_is_sent(gateway: EnrollingGateway) -> None:
    await refused(gateway, Code.INVALID, "for a host, not for a user", role=Invited.HOST)
    with pytest.raises(OpenShellError, match="'no good'"):
        await enrol(gateway.invitation(), Invited.USER, name="no good")
    assert gateway.asked == []


async def test_a_used_code_and_a_forged_one(gateway: EnrollingGateway) -> None:
    await enrol(gateway.invitation(), Invited.USER, name="ada")
    await refused(gateway, Code.UNAUTHENTICATED, "was used")
    await refused(gateway, Code.UNAUTHENTICATED, "not known", code="osi_" + "b" * 32)


async def test_a_name_that_is_taken_leaves_the_code(gateway: EnrollingGateway) -> None:
    gateway.refuse["Enrol"] = OpenShellError(Code.CONFLICT, "a user 'ada' is enrolled already")
    await refused(gateway, Code.CONFLICT, "is enrolled already")


async def test_another_gateway_is_told_nothing(gateway: EnrollingGateway) -> None:
    error = await refused(gateway, Code.UNAUTHENTICATED, "somebody is in between", shown="0" * 64)
    assert "nothing secret was sent" in str(error)
    assert gateway.asked == ["GetAuthority"]


async def test_somebody_in_between_who_shows_the_true_authority_never_sees_the_code(tmp_path: Path) -> None:
    true = Authority()
    between = await EnrollingGateway(tmp_path, authority=Authority(), shows=true.der).start()
    try:
        line = EnrollingGateway(tmp_path, authority=true, port=between.port)
        await refused(line, Code.UNAUTHENTICATED, "not trusted")
        assert between.asked == ["GetAuthority"] and between.enrolled == []
    finally:
        await between.stop()


@pytest.mark.parametrize("apart", [CLOCKS_APART + 60, -CLOCKS_APART - 60, 86400.0])
async def test_clocks_that_are_apart_are_both_told(gateway: EnrollingGateway, apart: float) -> None:
    gateway.clock = apart
    error = await refused(gateway, Code.PRECONDITION, "this machine's clock says .* UTC, the gateway's .* UTC")
    assert "set the clock" in error.hint
    assert gateway.asked == ["GetAuthority"]


async def test_clocks_that_are_a_little_apart_do(gateway: EnrollingGateway) -> None:
    gateway.clock = CLOCKS_APART - 60
    assert (await enrol(gateway.invitation(), Invited.USER, name="ada")).name == "ada"


@pytest.mark.parametrize(("start", "end", "told"), [(3600.0, 7200.0, "not yet valid"), (-7200.0, -3600.0, "expired")])
async def test_a_server_certificate_out_of_its_time_tells_the_clocks(
    tmp_path: Path, start: float, end: float, told: str
) -> None:
    gateway = await EnrollingGateway(tmp_path).start(start=start, end=end)
    try:
        error = await refused(gateway, Code.UNAUTHENTICATED, told)
        assert "this machine's clock says" in str(error) and "the gateway's" in str(error)
        assert gateway.enrolled == []
    finally:
        await gateway.stop()


async def test_an_address_that_the_certificate_does_not_name(tmp_path: Path) -> None:
    gateway = await EnrollingGateway(tmp_path).start(alternatives=["lab.example"])
    try:
        error = await refused(gateway, Code.UNAUTHENTICATED, "not trusted")
        assert "--san 127.0.0.1" in error.hint
        assert gateway.enrolled == []
    finally:
        await gateway.stop()


def dead() -> Address:
    """An address where nobody listens."""
    sock = listen_tcp("127.0.0.1", 0)
    with sock:
        return Address("127.0.0.1", sock.getsockname()[1])


async def test_addresses_are_tried_in_turn(gateway: EnrollingGateway, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = await EnrollingGateway(tmp_path / "other").start()
    try:
        places = [dead(), Address("127.0.0.1", other.port), Address("localhost", gateway.port)]
        found = await enrol(gateway.invitation(addresses=places), Invited.USER, name="ada")
        assert found.address == places[2]
        assert other.enrolled == []
        await refused(gateway, Code.UNAUTHENTICATED, "somebody is in between", addresses=places[:2])
    finally:
        await other.stop()


async def test_nobody_answers(gateway: EnrollingGateway) -> None:
    await refused(gateway, Code.UNAVAILABLE, "cannot connect to the gateway at", addresses=[dead()])
    await refused(gateway, Code.UNAVAILABLE, "at none of its addresses", addresses=[dead(), dead()])


async def test_one_that_listens_and_says_nothing(gateway: EnrollingGateway) -> None:
    with listen_tcp("127.0.0.1", 0) as silent:
        silent.listen()  # the kernel accepts, and nobody ever reads
        place = Address("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(OpenShellError, match="did not answer"):
            await enrol(gateway.invitation(addresses=[place]), Invited.USER, timeout=0.1)


async def test_a_connection_that_is_lost_after_the_code_says_that_it_may_be_used(gateway: EnrollingGateway) -> None:
    gateway.refuse["Enrol"] = OpenShellError(Code.BROKEN, "cut")
    error = await refused(gateway, Code.BROKEN, "after the invitation was sent")
    assert "may be used up" in error.hint


async def test_a_certificate_for_another_key_is_not_taken(gateway: EnrollingGateway) -> None:
    gateway.signs_with = Authority()
    await refused(gateway, Code.BROKEN, "not for our key")


async def test_a_gateway_that_does_not_enrol(gateway: EnrollingGateway) -> None:
    gateway.refuse["GetAuthority"] = OpenShellError(Code.EXHAUSTED, "too many have tried")
    await refused(gateway, Code.EXHAUSTED, "too many have tried")


async def test_our_own_clock_is_asked(gateway: EnrollingGateway) -> None:
    with pytest.raises(OpenShellError, match="this machine's clock says 2023-11-14 22:13 UTC"):
        await enrol(gateway.invitation(), Invited.USER, wall=lambda: 1_700_000_000.0)
    assert time.time() > 1_700_000_000
